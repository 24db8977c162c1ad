"""History as features need it: for each group, outcomes sorted by when they became known, with running sums."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.clock import DAY, HOUR
from backend.flights.facts import Facts, Stream, pair
from backend.flights.label import ARRIVED, CANCELLED, LATE_MINUTES
from backend.flights.local_time import minute_of_day
from backend.flights.places import Places
from backend.flights.windows import FOREVER, OpenIntervals, WindowSums

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LONGEST_WINDOW = 28 * DAY
KNOWN_WITHIN = 3 * DAY  # of the scheduled departure; what becomes known later says nothing of other flights
# So an outcome that counts became known at most five days after its schedule, and two more hold its corrections.
SCHEDULES_BEFORE = 7 * DAY
OVERDUE_AT_MOST = 12 * HOUR  # a flight that has not left after so long waits for a fact, not for a runway
_DELAY_RANGE = (-30, 300)  # minutes: one aircraft that waits for days is not what its airport does


@dataclass(frozen=True)
class Weather:
    """Hours of weather sorted by (station, known_at): `key` is pair(station, known_at), `values` (w, 9).

    The first row is of no station, so that a search for what came before always finds one.
    """

    key: Ints
    values: Floats


class History:
    """Facts up to some moment, in the shape in which `features.build` asks for them.

    departures (count, delay minutes, late), arrivals (count, delay minutes, late) and outcomes (count, disrupted,
    cancelled) by group; demand (count) by scheduled time; flights that are overdue and not gone.
    """

    def __init__(self, facts: Facts, places: Places) -> None:
        self.places = places
        self.seq = facts.seq
        origin, carrier, number = facts.origin, facts.carrier, facts.number
        plans, rows, ends = facts.schedules, facts.departures, facts.outcomes
        hours = minute_of_day(places.local(plans.at, origin[plans.subject])) // 60
        regions = places.region(facts.schedule_dest)

        kept, plan, time = _planned(facts, rows)
        of, dest, hour, region = rows.subject[kept], facts.schedule_dest[plan], hours[plan], regions[plan]
        minutes, valid_to = rows.value[kept], rows.valid_to[kept]
        delay = np.clip(minutes, *_DELAY_RANGE)
        values = np.stack([np.ones_like(delay), delay, minutes >= LATE_MINUTES], axis=1)

        def departures(key: Ints) -> WindowSums:
            return WindowSums(key, time, values, valid_to)

        self.departures_all = departures(np.zeros_like(of))
        self.departures_region = departures(region)
        self.departures_origin = departures(origin[of])
        self.departures_origin_carrier = departures(pair(origin[of], carrier[of]))
        self.departures_carrier = departures(carrier[of])
        self.departures_origin_hour = departures(pair(origin[of], hour))
        self.departures_dest = departures(dest)

        kept, plan, ended_at = _planned(facts, ends)
        of, dest, hour, region = ends.subject[kept], facts.schedule_dest[plan], hours[plan], regions[plan]
        what, minutes, ended_until = ends.value[kept] & 3, ends.value[kept] >> 2, ends.valid_to[kept]
        came = what == ARRIVED
        disrupted = ~came | (minutes >= LATE_MINUTES)
        clipped = np.where(came, np.clip(minutes, *_DELAY_RANGE), 0)
        # count, disrupted, cancelled, arrived, arrival delay minutes
        ended = np.stack([np.ones_like(what), disrupted, what == CANCELLED, came, clipped], axis=1)

        def outcomes(key: Ints) -> WindowSums:
            return WindowSums(key, ended_at, ended, ended_until)

        self.outcomes_all = outcomes(np.zeros_like(of))
        self.outcomes_origin = outcomes(origin[of])
        self.outcomes_dest = outcomes(dest)
        self.outcomes_region = outcomes(region)
        self.outcomes_carrier = outcomes(carrier[of])
        self.outcomes_origin_carrier = outcomes(pair(origin[of], carrier[of]))
        self.outcomes_route = outcomes(pair(origin[of], dest))
        self.outcomes_number = outcomes(pair(carrier[of], number[of]))
        self.outcomes_carrier_dest = outcomes(pair(carrier[of], dest))
        self.outcomes_carrier_hour = outcomes(pair(carrier[of], hour))
        self.outcomes_origin_hour = outcomes(pair(origin[of], hour))

        of, dest, region = plans.subject, facts.schedule_dest, regions
        block = np.stack([np.ones_like(plans.value), plans.value - plans.at], axis=1)

        def demand(key: Ints, time: Ints) -> WindowSums:
            return WindowSums(key, time, block, plans.valid_to)

        self.demand_origin = demand(origin[of], plans.at)
        self.demand_origin_carrier = demand(pair(origin[of], carrier[of]), plans.at)
        self.demand_dest = demand(dest, plans.value)
        self.demand_route = demand(pair(origin[of], dest), plans.known_at)
        self.overdue_origin = self._overdue(facts, origin[of])
        self.overdue_origin_carrier = self._overdue(facts, pair(origin[of], carrier[of]))
        self.overdue_dest = self._overdue(facts, dest)
        self.overdue_region = self._overdue(facts, region)
        self.overdue_carrier = self._overdue(facts, carrier[of])
        self.overdue_all = self._overdue(facts, np.zeros_like(of))
        self.weather = _weather(facts)

    @staticmethod
    def _overdue(facts: Facts, key: Ints) -> OpenIntervals:
        gone = np.full(len(facts.origin), FOREVER, np.int64)
        np.minimum.at(gone, facts.departures.subject, facts.departures.known_at)
        np.minimum.at(gone, facts.outcomes.subject, facts.outcomes.known_at)
        plans = facts.schedules
        start = np.maximum(plans.at, plans.known_at)
        stop = np.minimum(np.minimum(gone[plans.subject], plans.valid_to), plans.at + OVERDUE_AT_MOST)
        return OpenIntervals(key, start, stop, plans.at)


def _planned(facts: Facts, rows: Stream) -> tuple[Ints, Ints, Ints]:
    """Which rows count, the schedule that was believed when each became known, and when both were known.

    A row that came before its schedule counts from when the first schedule became known. One of these, and not the
    schedule that is recorded first or believed last: those may be from the future of who asks.
    """
    plans = facts.schedules
    believed = np.flatnonzero(plans.valid_to > plans.known_at)
    key = pair(plans.subject[believed], plans.known_at[believed])
    order = np.argsort(key)
    # The last schedule that was known by then; where it is another flight's, the one after it is this flight's first.
    last = np.searchsorted(key[order], pair(rows.subject, rows.known_at), side="right") - 1
    mine = last >= 0
    mine[mine] = plans.subject[believed[order[last[mine]]]] == rows.subject[mine]
    plan = believed[order[np.where(mine, last, last + 1)]]
    kept = np.flatnonzero(rows.known_at <= plans.at[plan] + KNOWN_WITHIN)
    return kept, plan[kept], np.maximum(rows.known_at, plans.known_at[plan])[kept]


def _weather(facts: Facts) -> Weather:
    hours = facts.weather
    kept = np.flatnonzero(hours.valid_to > hours.known_at)
    key = pair(hours.subject[kept], hours.known_at[kept])
    order = np.argsort(key, kind="stable")
    nothing = np.full((1, facts.weather_values.shape[1]), np.nan)
    values = np.concatenate([nothing, facts.weather_values[kept][order]])
    return Weather(np.concatenate([[-1], key[order]]), values)
