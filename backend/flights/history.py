"""History as features need it: for each group, outcomes sorted by when they became known, with running sums."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.clock import DAY, HOUR
from backend.flights.facts import Facts
from backend.flights.label import ARRIVED, CANCELLED, LATE_MINUTES
from backend.flights.local_time import minute_of_day
from backend.flights.places import Places
from backend.flights.windows import FOREVER, OpenIntervals, WindowSums

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LONGEST_WINDOW = 28 * DAY
SCHEDULES_BEFORE = 7 * DAY  # an outcome becomes known at most this long after its schedule did
OVERDUE_AT_MOST = 12 * HOUR  # a flight that has not left after so long waits for a fact, not for a runway
_DELAY_RANGE = (-30, 300)  # minutes: one aircraft that waits for days is not what its airport does


def pair(left: Ints, right: Ints) -> Ints:
    """One key from two, each below 2**31."""
    return left << 32 | right


@dataclass(frozen=True)
class Weather:
    """Hours of weather sorted by (station, known_at): `key` is station << 34 | known_at, `values` (w, 9).

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
        origin, carrier, dest, number = facts.origin, facts.carrier, facts.dest, facts.number
        region = places.region(dest) if len(dest) else dest
        hour = minute_of_day(places.local(facts.departure, origin)) // 60 if len(dest) else dest

        rows = facts.departures
        of = rows.subject
        delay = np.clip(rows.value, *_DELAY_RANGE)
        values = np.stack([np.ones_like(delay), delay, rows.value >= LATE_MINUTES], axis=1)

        def departures(key: Ints) -> WindowSums:
            return WindowSums(key[of], rows.known_at, values, rows.valid_to)

        everywhere = np.zeros_like(origin)
        self.departures_all = departures(everywhere)
        self.departures_region = departures(region)
        self.departures_origin = departures(origin)
        self.departures_origin_carrier = departures(pair(origin, carrier))
        self.departures_carrier = departures(carrier)
        self.departures_origin_hour = departures(pair(origin, hour))
        self.departures_dest = departures(dest)

        ends = facts.outcomes
        what, minutes = ends.value & 3, ends.value >> 2
        came = what == ARRIVED
        disrupted = ~came | (minutes >= LATE_MINUTES)
        clipped = np.where(came, np.clip(minutes, *_DELAY_RANGE), 0)
        # count, disrupted, cancelled, arrived, arrival delay minutes
        ended = np.stack([np.ones_like(what), disrupted, what == CANCELLED, came, clipped], axis=1)

        def outcomes(key: Ints) -> WindowSums:
            return WindowSums(key[ends.subject], ends.known_at, ended, ends.valid_to)

        self.outcomes_all = outcomes(everywhere)
        self.outcomes_origin = outcomes(origin)
        self.outcomes_dest = outcomes(dest)
        self.outcomes_region = outcomes(region)
        self.outcomes_carrier = outcomes(carrier)
        self.outcomes_origin_carrier = outcomes(pair(origin, carrier))
        self.outcomes_route = outcomes(pair(origin, dest))
        self.outcomes_number = outcomes(pair(carrier, number))
        self.outcomes_carrier_dest = outcomes(pair(carrier, dest))
        self.outcomes_carrier_hour = outcomes(pair(carrier, hour))
        self.outcomes_origin_hour = outcomes(pair(origin, hour))

        plans = facts.schedules
        block = np.stack([np.ones_like(plans.value), plans.value - plans.at], axis=1)

        def demand(key: Ints, time: Ints) -> WindowSums:
            return WindowSums(key[plans.subject], time, block, plans.valid_to)

        self.demand_origin = demand(origin, plans.at)
        self.demand_origin_carrier = demand(pair(origin, carrier), plans.at)
        self.demand_dest = demand(dest, plans.value)
        self.demand_route = demand(pair(origin, dest), plans.known_at)
        self.overdue_origin = self._overdue(facts, origin)
        self.overdue_origin_carrier = self._overdue(facts, pair(origin, carrier))
        self.overdue_dest = self._overdue(facts, dest)
        self.overdue_region = self._overdue(facts, region)
        self.overdue_carrier = self._overdue(facts, carrier)
        self.overdue_all = self._overdue(facts, everywhere)
        self.weather = _weather(facts)

    @staticmethod
    def _overdue(facts: Facts, key: Ints) -> OpenIntervals:
        gone = np.full(len(key), FOREVER, np.int64)
        np.minimum.at(gone, facts.departures.subject, facts.departures.known_at)
        np.minimum.at(gone, facts.outcomes.subject, facts.outcomes.known_at)
        plans = facts.schedules
        start = np.maximum(plans.at, plans.known_at)
        stop = np.minimum(np.minimum(gone[plans.subject], plans.valid_to), plans.at + OVERDUE_AT_MOST)
        return OpenIntervals(key[plans.subject], start, stop, plans.at)


def _weather(facts: Facts) -> Weather:
    hours = facts.weather
    kept = np.flatnonzero(hours.valid_to > hours.known_at)
    key = hours.subject[kept] << 34 | hours.known_at[kept]
    order = np.argsort(key, kind="stable")
    nothing = np.full((1, facts.weather_values.shape[1]), np.nan)
    values = np.concatenate([nothing, facts.weather_values[kept][order]])
    return Weather(np.concatenate([[-1], key[order]]), values)
