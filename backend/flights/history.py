"""History as features need it: what was known of past flights as sums over windows, and the weather."""

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.clock import DAY
from backend.flights.contributions import contributions
from backend.flights.facts import Facts, pair
from backend.flights.groups import Carriers
from backend.flights.places import Places
from backend.flights.windows import WindowSums, difference

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LONGEST_WINDOW = 28 * DAY
# An outcome that counts became known at most five days after its schedule (contributions.KNOWN_WITHIN), and two more
# hold its corrections.
SCHEDULES_BEFORE = 7 * DAY


@dataclass(frozen=True)
class Weather:
    """Hours of weather sorted by (station, known_at): `key` is pair(station, known_at), `values` (w, 9).

    The first row is of no station, so that a search for what came before always finds one.
    """

    key: Ints
    values: Floats


class History:
    """Facts up to some moment, in the shape in which `features.build` asks for them.

    `departures`, `outcomes`, `demand` and `overdue` are sums over the rows of those names in contributions.py.
    """

    def __init__(self, facts: Facts, places: Places) -> None:
        self.places = places
        self.seq = facts.seq
        self.carriers = Carriers(np.unique(facts.carrier))
        rows = contributions(facts, places, self.carriers)
        self.departures, self.outcomes = WindowSums(rows.departures), WindowSums(rows.outcomes)
        self.demand, self.overdue = WindowSums(rows.demand), WindowSums(rows.overdue)
        self.weather = _weather(facts)

    def changed(self, before: Facts, after: Facts, hours: Facts) -> "History":
        """This history where a few flights are not as in `before`, which is how it knows them, but as in `after`.

        The weather is all of `hours`. Takes as long as there are such flights and hours, however long the history is.
        Raises KeyError for an airport that `places` do not know.
        """
        new = copy.copy(self)
        new.seq, new.weather = after.seq, _weather(hours)
        new.carriers = self.carriers.and_also(after.carrier)
        old, now = (contributions(facts, self.places, new.carriers) for facts in (before, after))
        new.departures = WindowSums(difference(old.departures, now.departures), self.departures)
        new.outcomes = WindowSums(difference(old.outcomes, now.outcomes), self.outcomes)
        new.demand = WindowSums(difference(old.demand, now.demand), self.demand)
        new.overdue = WindowSums(difference(old.overdue, now.overdue), self.overdue)
        return new


def _weather(facts: Facts) -> Weather:
    hours = facts.weather
    kept = np.flatnonzero(hours.valid_to > hours.known_at)
    key = pair(hours.subject[kept], hours.known_at[kept])
    order = np.argsort(key, kind="stable")
    nothing = np.full((1, facts.weather_values.shape[1]), np.nan)
    values = np.concatenate([nothing, facts.weather_values[kept][order]])
    return Weather(np.concatenate([[-1], key[order]]), values)
