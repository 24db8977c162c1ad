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
Bools = npt.NDArray[np.bool_]

LONGEST_WINDOW = 28 * DAY
KNOWN_WITHIN = 3 * DAY  # of the scheduled departure; what becomes known later says nothing of other flights
# So an outcome that counts became known at most five days after its schedule, and two more hold its corrections.
SCHEDULES_BEFORE = 7 * DAY
OVERDUE_AT_MOST = 12 * HOUR  # a flight that has not left after so long waits for a fact, not for a runway
_DELAY_RANGE = (-30, 300)  # minutes: one aircraft that waits for days is not what its airport does
_ENROUTE_RANGE = (-60, 90)


DEPARTURES = ("all", "region", "origin", "origin_carrier", "carrier", "origin_hour", "dest")
OUTCOMES = (
    *("all", "origin", "dest", "region", "carrier", "origin_carrier"),
    *("route", "number", "carrier_dest", "carrier_hour", "origin_hour"),
)
OVERDUE = ("all", "origin", "origin_carrier", "dest", "region", "carrier")


def group_keys(origin: Ints, carrier: Ints, number: Ints, dest: Ints, region: Ints, hour: Ints) -> dict[str, Ints]:
    """Each flight's key in each group, all of shape (n,). `hour` is the local hour of the scheduled departure."""
    return {
        "all": np.zeros_like(origin),
        "origin": origin,
        "carrier": carrier,
        "dest": dest,
        "region": region,
        "origin_carrier": pair(origin, carrier),
        "origin_hour": pair(origin, hour),
        "route": pair(origin, dest),
        "number": pair(carrier, number),
        "carrier_dest": pair(carrier, dest),
        "carrier_hour": pair(carrier, hour),
    }


@dataclass(frozen=True)
class Weather:
    """Hours of weather sorted by (station, known_at): `key` is pair(station, known_at), `values` (w, 9).

    The first row is of no station, so that a search for what came before always finds one.
    """

    key: Ints
    values: Floats


class History:
    """Facts up to some moment, in the shape in which `features.build` asks for them, each by the name of its group.

    `departures` sum (count, delay minutes, late) and `outcomes` (count, disrupted, cancelled, arrived, delay minutes,
    flown, en-route minutes) by when they became known, where en-route minutes are what a flight lost between departure
    and arrival against its plan, and flown are the flights of which both were known; `demand` sums (count, block
    seconds) by scheduled departure, for "route" by when the schedule became known; `overdue` are flights that should
    have left and are not gone.
    """

    def __init__(self, facts: Facts, places: Places) -> None:
        self.places = places
        self.seq = facts.seq
        origin, carrier, number = facts.origin, facts.carrier, facts.number
        plans, rows, ends = facts.schedules, facts.departures, facts.outcomes
        hours = minute_of_day(places.local(plans.at, origin[plans.subject])) // 60
        regions = places.region(facts.schedule_dest)

        def keys(of: Ints, plan: Ints) -> dict[str, Ints]:
            dest = facts.schedule_dest[plan]
            return group_keys(origin[of], carrier[of], number[of], dest, regions[plan], hours[plan])

        kept, plan, time = _planned(facts, rows)
        minutes, valid_to = rows.value[kept], rows.valid_to[kept]
        delay = np.clip(minutes, *_DELAY_RANGE)
        values = np.stack([np.ones_like(delay), delay, minutes >= LATE_MINUTES], axis=1)
        left = keys(rows.subject[kept], plan)
        self.departures = {name: WindowSums(left[name], time, values, valid_to) for name in DEPARTURES}

        kept, plan, time = _planned(facts, ends)
        what, minutes, valid_to = ends.value[kept] & 3, ends.value[kept] >> 2, ends.valid_to[kept]
        came = what == ARRIVED
        disrupted = ~came | (minutes >= LATE_MINUTES)
        clipped = np.where(came, np.clip(minutes, *_DELAY_RANGE), 0)
        flown, enroute = _enroute(rows, ends.subject[kept], time, came, minutes)
        values = np.stack([np.ones_like(what), disrupted, what == CANCELLED, came, clipped, flown, enroute], axis=1)
        ended = keys(ends.subject[kept], plan)
        self.outcomes = {name: WindowSums(ended[name], time, values, valid_to) for name in OUTCOMES}

        planned = keys(plans.subject, np.arange(len(plans.subject)))
        times = {"origin": plans.at, "origin_carrier": plans.at, "route": plans.known_at}
        block = np.stack([np.ones_like(plans.value), plans.value - plans.at], axis=1)
        self.demand = {name: WindowSums(planned[name], at, block, plans.valid_to) for name, at in times.items()}
        self.overdue = {name: self._overdue(facts, planned[name]) for name in OVERDUE}
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
    # The last schedule that was known by then; where it is another flight's, the one after it is this flight's first.
    believed, last = _last_believed(plans, rows.subject, rows.known_at)
    mine = last >= 0
    mine[mine] = plans.subject[believed[last[mine]]] == rows.subject[mine]
    plan = believed[np.where(mine, last, last + 1)]
    kept = np.flatnonzero(rows.known_at <= plans.at[plan] + KNOWN_WITHIN)
    return kept, plan[kept], np.maximum(rows.known_at, plans.known_at[plan])[kept]


def _last_believed(rows: Stream, subject: Ints, moment: Ints) -> tuple[Ints, Ints]:
    """Rows that were ever believed, by subject and `known_at`; and, for each question, the place among them of the last
    that was known at that moment: of an earlier subject where none was, and -1 before the first."""
    believed = np.flatnonzero(rows.valid_to > rows.known_at)
    key = pair(rows.subject[believed], rows.known_at[believed])
    order = np.argsort(key)
    return believed[order], np.searchsorted(key[order], pair(subject, moment), side="right") - 1


def _enroute(departures: Stream, subject: Ints, time: Ints, came: Bools, delay: Ints) -> tuple[Bools, Ints]:
    """Which flights came and were known to have left by `time`, and the minutes that they lost on the way."""
    believed, last = _last_believed(departures, subject, time)
    flown = came & (last >= 0)
    flown[flown] = departures.subject[believed[last[flown]]] == subject[flown]
    lost = np.zeros_like(delay)
    lost[flown] = np.clip(delay[flown] - departures.value[believed[last[flown]]], *_ENROUTE_RANGE)
    return flown, lost


def _weather(facts: Facts) -> Weather:
    hours = facts.weather
    kept = np.flatnonzero(hours.valid_to > hours.known_at)
    key = pair(hours.subject[kept], hours.known_at[kept])
    order = np.argsort(key, kind="stable")
    nothing = np.full((1, facts.weather_values.shape[1]), np.nan)
    values = np.concatenate([nothing, facts.weather_values[kept][order]])
    return Weather(np.concatenate([[-1], key[order]]), values)
