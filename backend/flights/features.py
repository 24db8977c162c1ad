"""`build`: every feature of a flight at a moment, from facts that were known then. There is no second implementation.

It is pure, works on numpy arrays, and gives the same values to the last bit for one flight or for a year of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.clock import DAY, HOUR, MINUTE
from backend.flights.events import WEATHER_FIELDS
from backend.flights.facts import Facts, from_rows, pack_all, pair
from backend.flights.history import LONGEST_WINDOW, History, group_keys
from backend.flights.local_time import minute_of_day, weekday
from backend.flights.places import Places

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[Any]]
Keys = dict[str, Ints]

# Changes whenever a column is added, removed or computed in another way: a bundle serves only with its own list.
VERSION = "2"

LONGEST_LEAD = 24 * HOUR
HOURS = {"1h": HOUR, "3h": 3 * HOUR, "6h": 6 * HOUR, "24h": DAY, "48h": 2 * DAY, "72h": 3 * DAY, "28d": LONGEST_WINDOW}
SHRINK_TO_MEAN = 20  # flights of the mean that a group's own record is mixed with
DAY_BEGINS = 4 * HOUR  # local time at which an airport's day of operation begins
UNKNOWN_ARRIVAL = -1

# Categories stand in these columns as packed codes; the model's encoder turns them into numbers with an order.
CATEGORIES = ("carrier", "origin", "dest")


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
    columns = _columns(flights, as_of, history)
    return np.stack([np.asarray(column, np.float64) for column in columns.values()], axis=1)


@cache
def names() -> tuple[str, ...]:
    """The names of the columns of `build`, in order."""
    nowhere = History(from_rows([]), Places([]))
    return tuple(_columns(flights_of([]), np.zeros(0, np.int64), nowhere))


def _columns(flights: Flights, as_of: Ints, history: History) -> Columns:
    local = history.places.local(flights.departure, flights.origin)
    region, hour = history.places.region(flights.dest), minute_of_day(local) // 60
    keys = group_keys(flights.origin, flights.carrier, flights.number, flights.dest, region, hour)
    columns: Columns = {}
    _schedule(columns, flights, as_of, history, keys)
    _delays(columns, as_of, history, keys)
    _today(columns, flights, as_of, history, keys)
    _usual(columns, flights, as_of, history, keys)
    _records(columns, as_of, history, keys)
    _overdue(columns, as_of, history, keys)
    _demand(columns, flights, as_of, history, keys)
    _weather(columns, flights, as_of, history)
    return columns


def _ratio(total: npt.NDArray[Any], count: npt.NDArray[Any]) -> Floats:
    """total / count, NaN where nothing was counted."""
    out: Floats = np.full(np.shape(total), np.nan)
    np.divide(total, count, out=out, where=np.asarray(count) != 0)
    return out


def _schedule(columns: Columns, flights: Flights, as_of: Ints, history: History, keys: Keys) -> None:
    places = history.places
    local = places.local(flights.departure, flights.origin)
    blocks = history.demand["route"].past(keys["route"], as_of, (LONGEST_WINDOW,))[:, 0]
    usual_block = _ratio(blocks[:, 1], blocks[:, 0] * MINUTE)
    given = flights.arrival != UNKNOWN_ARRIVAL
    block = np.where(given, (flights.arrival - flights.departure) / MINUTE, usual_block)
    seconds = np.where(np.isnan(block), 0, block * MINUTE).astype(np.int64)
    arrival_local = places.local(flights.departure + seconds, flights.dest)
    columns |= {
        "carrier": flights.carrier,
        "origin": flights.origin,
        "dest": flights.dest,
        "lead_minutes": (flights.departure - as_of) // MINUTE,
        "departure_minute": minute_of_day(local),
        "weekday": weekday(local),
        "arrival_minute": minute_of_day(arrival_local),
        "block_minutes": block,
        "block_above_usual": block - usual_block,
        "distance_miles": places.distance_miles(flights.origin, flights.dest),
    }


# Which hours of departures and of outcomes are looked at: (prefix of the columns, group, windows).
DEPARTURE_WINDOWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("origin", "origin", ("1h", "3h", "6h", "24h")),
    ("origin_carrier", "origin_carrier", ("1h", "3h", "6h", "24h")),
    ("carrier", "carrier", ("1h", "3h", "6h")),
    ("to_dest", "dest", ("3h", "6h")),
    ("to_region", "region", ("1h", "3h")),
    ("all", "all", ("1h", "3h", "6h")),
)
OUTCOME_WINDOWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("all", ("3h", "6h")),
    ("origin", ("3h", "6h", "24h")),
    ("carrier", ("3h", "6h", "24h")),
    ("origin_carrier", ("6h", "24h")),
    ("dest", ("3h", "6h", "24h")),
    ("region", ("3h", "6h", "24h")),
    ("carrier_dest", ("24h",)),
    ("number", ("48h",)),
)
# Minutes that flights lost between departure and arrival against their plan: winds, queues, and how much reserve the
# schedule of a route holds. The label is about the arrival, so that these say what delays at departure cannot.
ENROUTE_WINDOWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("all", ("3h", "24h")),
    ("origin", ("24h",)),
    ("carrier", ("24h", "28d")),
    ("dest", ("6h", "24h", "72h")),
    ("region", ("6h", "24h", "72h")),
    ("route", ("28d",)),
    ("number", ("28d",)),
    ("carrier_dest", ("28d",)),
)
RECORDS = ("number", "route", "carrier_dest", "carrier_hour", "origin_hour", "origin_carrier", "dest", "carrier")


def _delays(columns: Columns, as_of: Ints, history: History, keys: Keys) -> None:
    """Departures and outcomes of the last hours, for the airport, its carrier, the destination and its region."""
    for name, group, windows in DEPARTURE_WINDOWS:
        seen = history.departures[group].past(keys[group], as_of, tuple(HOURS[window] for window in windows))
        for position, window in enumerate(windows):
            count, delay, late = seen[:, position].T
            columns[f"{name}_departure_delay_{window}"] = _ratio(delay, count)
            if window == "3h":
                columns[f"{name}_departures_{window}"] = count
                columns[f"{name}_departures_late_{window}"] = _ratio(late, count)
    for group, windows in OUTCOME_WINDOWS:
        seen = history.outcomes[group].past(keys[group], as_of, tuple(HOURS[window] for window in windows))
        for position, window in enumerate(windows):
            count, disrupted, cancelled, arrived, delay, _, _ = seen[:, position].T
            columns[f"{group}_arrival_delay_{window}"] = _ratio(delay, arrived)
            columns[f"{group}_disrupted_{window}"] = _ratio(disrupted, count)
            if window == "6h":
                columns[f"{group}_cancelled_{window}"] = cancelled
    for group, windows in ENROUTE_WINDOWS:
        seen = history.outcomes[group].past(keys[group], as_of, tuple(HOURS[window] for window in windows))
        for position, window in enumerate(windows):
            columns[f"{group}_enroute_delay_{window}"] = _ratio(seen[:, position, 6], seen[:, position, 5])


def _today(columns: Columns, flights: Flights, as_of: Ints, history: History, keys: Keys) -> None:
    """How the day has gone so far, since four in the morning at the origin, for the airport and for its carrier."""
    since_four = (history.places.local(as_of, flights.origin) - DAY_BEGINS) % DAY
    after, until = (as_of - since_four)[:, None], as_of[:, None]
    for name in ("origin", "origin_carrier"):
        count, delay, late = history.departures[name].between(keys[name], after, until)[:, 0].T
        columns[f"{name}_departure_delay_today"] = _ratio(delay, count)
        columns[f"{name}_departures_late_today"] = _ratio(late, count)
        count, disrupted, cancelled, *_ = history.outcomes[name].between(keys[name], after, until)[:, 0].T
        columns[f"{name}_disrupted_today"] = _ratio(disrupted, count)
        columns[f"{name}_cancelled_today"] = cancelled


def _usual(columns: Columns, flights: Flights, as_of: Ints, history: History, keys: Keys) -> None:
    """What delay is usual at the origin at this hour and at the flight's, and how today differs from it."""
    hour_now = minute_of_day(history.places.local(as_of, flights.origin)) // 60
    for name, key in (("now", pair(flights.origin, hour_now)), ("then", keys["origin_hour"])):
        usual = history.departures["origin_hour"].past(key, as_of, (LONGEST_WINDOW,))[:, 0]
        columns[f"usual_delay_{name}"] = _ratio(usual[:, 1], usual[:, 0])
    columns["delay_above_usual"] = columns["origin_departure_delay_3h"] - columns["usual_delay_now"]
    columns["delay_growth"] = columns["origin_departure_delay_1h"] - columns["origin_departure_delay_6h"]


def _records(columns: Columns, as_of: Ints, history: History, keys: Keys) -> None:
    """How the groups that a flight belongs to did in four weeks, against the mean of all, to which they are shrunk.

    Against the mean, because the mean itself is the season's: a model that knew it learned last season by heart.
    """
    month = history.outcomes["all"].past(keys["all"], as_of, (LONGEST_WINDOW,))[:, 0]
    mean = _ratio(month[:, 1], month[:, 0])
    for name in RECORDS:
        count, disrupted, *_ = history.outcomes[name].past(keys[name], as_of, (LONGEST_WINDOW,))[:, 0].T
        columns[f"{name}_disrupted_28d"] = (disrupted - mean * count) / (count + SHRINK_TO_MEAN)


def _overdue(columns: Columns, as_of: Ints, history: History, keys: Keys) -> None:
    """Flights that should be gone and are not, and how long they have waited in all."""
    for name, group in (
        *((group, group) for group in ("origin", "origin_carrier", "carrier", "all")),
        ("to_dest", "dest"),
        ("to_region", "region"),
    ):
        count, seconds = history.overdue[group].at(keys[group], as_of)
        columns[f"{name}_overdue"] = count
        columns[f"{name}_overdue_minutes"] = seconds // MINUTE


def _demand(columns: Columns, flights: Flights, as_of: Ints, history: History, keys: Keys) -> None:
    """Departures against demand, and how full the flight's own hour is."""
    due = history.demand["origin"].past(keys["origin"], as_of, (HOUR, 3 * HOUR))[:, :, 0]
    columns["origin_due_1h"] = due[:, 0]
    columns["origin_throughput_3h"] = columns["origin_departures_3h"] - due[:, 1]
    columns["origin_overdue_share"] = _ratio(columns["origin_overdue"], due[:, 0])
    after = flights.departure[:, None] + np.array([[-HOUR // 2, -HOUR, -3 * HOUR, 0]])
    until = flights.departure[:, None] + np.array([[HOUR // 2, 0, 0, HOUR]])
    around = history.demand["origin"].between(keys["origin"], after, until, as_of)[:, :, 0]
    for name, column in zip(("around", "hour_before", "3h_before", "hour_after"), around.T, strict=True):
        columns[f"origin_demand_{name}"] = column
    carrier = history.demand["origin_carrier"]
    own = carrier.between(keys["origin_carrier"], after[:, :1], until[:, :1], as_of)
    columns["origin_carrier_demand_around"] = own[:, 0, 0]


def _weather(columns: Columns, flights: Flights, as_of: Ints, history: History) -> None:
    """The last weather known at the origin, how it changed in three hours, and its worst in six."""
    key, values = history.weather.key, history.weather.values
    station_now = pair(flights.origin, as_of)
    here = np.searchsorted(key, station_now, side="right") - 1
    rows = here[:, None] - np.arange(6)
    rows = np.maximum(rows, 0)
    stamps = key[rows]
    # A row counts when it is of this station and became known in the last six hours.
    inside = stamps > station_now[:, None] - 6 * HOUR
    inside &= stamps >> 32 == flights.origin[:, None]
    seen = np.where(inside[:, :, None], values[rows], np.nan)
    latest = {name: seen[:, 0, position] for position, name in enumerate(WEATHER_FIELDS)}
    three_hours_before = stamps == stamps[:, :1] - 3 * HOUR
    before = np.fmax.reduce(np.where(three_hours_before[:, :, None], seen, np.nan), axis=1)
    earlier = {name: before[:, position] for position, name in enumerate(WEATHER_FIELDS)}
    fields = {name: seen[:, :, position] for position, name in enumerate(WEATHER_FIELDS)}
    columns["weather_age_minutes"] = np.where(inside[:, 0], (station_now - stamps[:, 0]) // MINUTE, np.nan)
    # Levels of temperature and pressure are left out: they are mostly the season's, and made the next month's Brier
    # score worse. The dew point stays: without it June's storms were missed.
    columns |= {f"weather_{name}": column for name, column in latest.items() if name not in ("temp", "pressure")}
    for name in ("temp", "wind_speed", "pressure", "visib", "humid"):
        columns[f"weather_{name}_change_3h"] = latest[name] - earlier[name]
    columns["weather_dew_point_spread"] = latest["temp"] - latest["dewp"]
    columns["weather_wind_worst_6h"] = np.fmax.reduce(fields["wind_speed"], axis=1)
    columns["weather_gust_worst_6h"] = np.fmax.reduce(fields["wind_gust"], axis=1)
    columns["weather_visib_worst_6h"] = np.fmin.reduce(fields["visib"], axis=1)
    columns["weather_precip_worst_6h"] = np.fmax.reduce(fields["precip"], axis=1)
    # Hundredths of an inch, as integers, so that their sum is exact.
    hundredths = np.where(np.isnan(fields["precip"]), 0, np.rint(fields["precip"] * 100)).astype(np.int64)
    columns["weather_precip_6h"] = hundredths.sum(axis=1) / 100
