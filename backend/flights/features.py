"""`build`: every feature of a flight at a moment, from facts that were known then. There is no second implementation.

It is pure, works on numpy arrays, and gives the same values to the last bit for one flight or for a year of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from backend.clock import DAY, HOUR, MINUTE
from backend.flights import feature_list, recent_weather
from backend.flights.columns import GROUPS, MOMENTS, Asked, Kind, Looked, ratio
from backend.flights.facts import Facts, pack_all
from backend.flights.feature_list import COLUMNS, NAMES, OVERDUE, RECORDS
from backend.flights.groups import Parts, keys
from backend.flights.history import History
from backend.flights.local_time import minute_of_day, weekday

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

VERSION, CATEGORIES = feature_list.VERSION, feature_list.CATEGORIES
LONGEST_LEAD = 24 * HOUR
SHRINK_TO_MEAN = 20  # flights of the mean that a group's own record is mixed with
DAY_BEGINS = 4 * HOUR  # local time at which an airport's day of operation begins
UNKNOWN_ARRIVAL = -1

_AT_ONCE = 1024  # flights: what is looked up of so many fits into a processor's cache

_DEPARTURES = Kind("departures", COLUMNS, NAMES)
_OUTCOMES = Kind("outcomes", COLUMNS, NAMES, [(group, "28d") for group in ("all", *RECORDS)])
_DEMAND = Kind("demand", COLUMNS, NAMES, [("origin", "3h"), ("route", "28d")])
_OVERDUE = Kind("overdue", COLUMNS, NAMES)

_PLACE = {name: place for place, name in enumerate(NAMES)}
_RECORDS = [_PLACE[f"{group}_disrupted_28d"] for group in RECORDS]
_OVERDUE_MINUTES = [_PLACE[f"{name}_overdue_minutes"] for name, _ in OVERDUE]
_OVERDUE_GROUPS = [group for _, group in OVERDUE]
_WEATHER = [_PLACE[name] for name in recent_weather.NAMES]


@dataclass(frozen=True)
class Flights:
    """Flights to ask about, each column of shape (n,): packed codes, and schedule times in epoch seconds."""

    carrier: Ints
    number: Ints
    origin: Ints
    dest: Ints
    departure: Ints
    arrival: Ints

    def __len__(self) -> int:
        return len(self.carrier)

    def take(self, rows: npt.NDArray[np.generic] | slice) -> "Flights":
        """The flights at those positions, or where a mask is true."""
        return Flights(*(getattr(self, column.name)[rows] for column in fields(self)))


def flights_of(rows: Sequence[tuple[str, int, str, str, int, int | None]]) -> Flights:
    """Flights from rows of (carrier, number, origin, dest, scheduled departure, scheduled arrival or None)."""
    carrier, number, origin, dest, departure, arrival = zip(*rows, strict=True) if rows else ((),) * 6
    return Flights(
        carrier=pack_all(carrier),
        number=np.array(number, np.int64),
        origin=pack_all(origin),
        dest=pack_all(dest),
        departure=np.array(departure, np.int64),
        arrival=np.array([UNKNOWN_ARRIVAL if time is None else time for time in arrival], np.int64),
    )


def flights_in(facts: Facts) -> Flights:
    """Every flight in the facts, in their order, by the schedule that was recorded first."""
    return Flights(facts.carrier, facts.number, facts.origin, facts.dest, facts.departure, facts.arrival)


def build(flights: Flights, as_of: Ints, history: History) -> Floats:
    """The features of flights as known at `as_of` (epoch seconds, shape (n,)): shape (n, len(names())).

    NaN where nothing was known. Uses only facts with `known_at <= as_of`. Raises KeyError for an unknown airport.
    """
    rows = np.empty((len(flights), len(NAMES)))
    for start in range(0, len(flights), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        rows[part] = _features(flights.take(part), as_of[part], history).T
    return rows


def names() -> tuple[str, ...]:
    """The names of the columns of `build`, in order."""
    return NAMES


def asked(flights: Flights, as_of: Ints, history: History) -> Asked:
    """What `build` looks up: the keys and moments of flights at `as_of`. Raises KeyError for an unknown airport."""
    places = history.places
    origin, dest = places.positions(flights.origin), places.positions(flights.dest)
    local, local_now = places.local_at(flights.departure, origin), places.local_at(as_of, origin)
    keyed = _keys(flights, history, origin, dest, local, local_now)
    return Asked(keyed, _moments(flights, as_of, local_now), as_of)


class _Table:
    """The features of n flights, by name: `values` has shape (features, n)."""

    def __init__(self, count: int) -> None:
        self.values = np.empty((len(NAMES), count))

    def __setitem__(self, name: str, column: npt.NDArray[np.generic]) -> None:
        self.values[_PLACE[name]] = column

    def __getitem__(self, name: str) -> Floats:
        column: Floats = self.values[_PLACE[name]]
        return column


def _features(flights: Flights, as_of: Ints, history: History) -> Floats:
    """The features of a few flights, shape (features, n)."""
    count, places = len(flights), history.places
    origin, dest = places.positions(np.concatenate([flights.origin, flights.dest]).reshape(2, count))
    local, local_now = places.local_at(np.concatenate([flights.departure, as_of]).reshape(2, count), origin)
    looked_for = Asked(
        keys=_keys(flights, history, origin, dest, local, local_now),
        moments=_moments(flights, as_of, local_now),
        as_of=as_of,
    )
    table = _Table(count)
    departures = _DEPARTURES.look(table.values, history.departures, looked_for)
    outcomes = _OUTCOMES.look(table.values, history.outcomes, looked_for)
    demand = _DEMAND.look(table.values, history.demand, looked_for)
    overdue = _OVERDUE.look(table.values, history.overdue, looked_for)
    _schedule(table, flights, as_of, local, demand)
    table["arrival_minute"] = minute_of_day(places.local_at(_arrival(flights, table["block_minutes"]), dest))
    table["distance_miles"] = places.distance_miles(origin, dest)
    _against_usual(table)
    table.values[_RECORDS] = _records(outcomes)
    _congestion(table, departures, demand, overdue)
    table.values[_OVERDUE_MINUTES] = _waited(overdue, as_of) // MINUTE
    table.values[_WEATHER] = recent_weather.rows(history.weather, flights.origin, as_of)
    return table.values


def _keys(flights: Flights, history: History, origin: Ints, dest: Ints, local: Ints, local_now: Ints) -> Ints:
    carrier, region = history.carriers.numbers(flights.carrier), history.places.regions(dest)
    hour, hour_now = minute_of_day(local) // 60, minute_of_day(local_now) // 60
    return keys(GROUPS, Parts(origin, carrier, flights.number, dest, region, hour, hour_now))


def _moments(flights: Flights, as_of: Ints, local_now: Ints) -> Ints:
    """The rows of columns.MOMENTS."""
    four = as_of - (local_now - DAY_BEGINS) % DAY
    return np.concatenate([np.zeros_like(as_of), as_of, flights.departure, four]).reshape(len(MOMENTS), len(as_of))


def _schedule(table: _Table, flights: Flights, as_of: Ints, local: Ints, demand: Looked) -> None:
    """What the schedule says, and how long flights on the route were planned to take in four weeks."""
    seconds, count = demand.of("route", "28d", "seconds"), demand.of("route", "28d", "count")
    usual_block = ratio(seconds, count * MINUTE)
    given = flights.arrival != UNKNOWN_ARRIVAL
    block = np.where(given, (flights.arrival - flights.departure) / MINUTE, usual_block)
    table["carrier"], table["origin"], table["dest"] = flights.carrier, flights.origin, flights.dest
    table["lead_minutes"] = (flights.departure - as_of) // MINUTE
    table["departure_minute"] = minute_of_day(local)
    table["weekday"] = weekday(local)
    table["block_minutes"] = block
    table["block_above_usual"] = block - usual_block


def _arrival(flights: Flights, block_minutes: Floats) -> Ints:
    """When each flight should arrive: as it departs, where nobody knows how long it takes."""
    return flights.departure + np.where(np.isnan(block_minutes), 0, block_minutes * MINUTE).astype(np.int64)


def _against_usual(table: _Table) -> None:
    """How the origin's delays of the last hours differ from what is usual at this hour, and how they grow."""
    table["delay_above_usual"] = table["origin_departure_delay_3h"] - table["usual_delay_now"]
    table["delay_growth"] = table["origin_departure_delay_1h"] - table["origin_departure_delay_6h"]


def _records(outcomes: Looked) -> Floats:
    """How the groups that a flight belongs to did in four weeks, against the mean of all, to which they are shrunk.

    Against the mean, because the mean itself is the season's: a model that knew it learned last season by heart.
    """
    mean = ratio(outcomes.of("all", "28d", "disrupted"), outcomes.of("all", "28d", "count"))
    disrupted, count = outcomes.of_all(RECORDS, "28d", "disrupted"), outcomes.of_all(RECORDS, "28d", "count")
    shrunk: Floats = (disrupted - mean * count) / (count + SHRINK_TO_MEAN)
    return shrunk


def _congestion(table: _Table, departures: Looked, demand: Looked, overdue: Looked) -> None:
    """Departures against demand, and how much of the demand waits."""
    table["origin_throughput_3h"] = departures.of("origin", "3h", "count") - demand.of("origin", "3h", "count")
    waiting, due = overdue.of("origin", "until_now", "count"), demand.of("origin", "1h", "count")
    table["origin_overdue_share"] = ratio(waiting, due)


def _waited(overdue: Looked, as_of: Ints) -> Ints:
    """How many seconds the flights that are overdue have waited, in all: shape (groups, n)."""
    waiting, since = (overdue.of_all(_OVERDUE_GROUPS, "until_now", value) for value in ("count", "since"))
    return waiting * as_of - since
