"""The list of features, in order: what each sum over the past is, and the names of those that features.py computes."""

from collections.abc import Iterator

from backend.flights import recent_weather
from backend.flights.columns import Column

# Changes whenever a column is added, removed or computed in another way: a bundle serves only with its own list.
VERSION = "2"

# Categories stand in these columns as packed codes; the model's encoder turns them into numbers with an order.
CATEGORIES = ("carrier", "origin", "dest")

_SCHEDULE = (
    *CATEGORIES,
    *("lead_minutes", "departure_minute", "weekday", "arrival_minute"),
    *("block_minutes", "block_above_usual", "distance_miles"),
)

# Which hours of departures and of outcomes are looked at: (prefix of the columns, group, windows).
_DEPARTURE_WINDOWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("origin", "origin", ("1h", "3h", "6h", "24h")),
    ("origin_carrier", "origin_carrier", ("1h", "3h", "6h", "24h")),
    ("carrier", "carrier", ("1h", "3h", "6h")),
    ("to_dest", "dest", ("3h", "6h")),
    ("to_region", "region", ("1h", "3h")),
    ("all", "all", ("1h", "3h", "6h")),
)
_OUTCOME_WINDOWS: tuple[tuple[str, tuple[str, ...]], ...] = (
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
_ENROUTE_WINDOWS: tuple[tuple[str, tuple[str, ...]], ...] = (
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


def _delays() -> Iterator[Column]:
    """Departures and outcomes of the last hours, for the airport, its carrier, the destination and its region."""
    for name, group, windows in _DEPARTURE_WINDOWS:
        for window in windows:
            yield Column(f"{name}_departure_delay_{window}", "departures", group, window, "delay", "count")
            if window == "3h":
                yield Column(f"{name}_departures_{window}", "departures", group, window, "count")
                yield Column(f"{name}_departures_late_{window}", "departures", group, window, "late", "count")
    for group, windows in _OUTCOME_WINDOWS:
        for window in windows:
            yield Column(f"{group}_arrival_delay_{window}", "outcomes", group, window, "delay", "arrived")
            yield Column(f"{group}_disrupted_{window}", "outcomes", group, window, "disrupted", "count")
            if window == "6h":
                yield Column(f"{group}_cancelled_{window}", "outcomes", group, window, "cancelled")
    for group, windows in _ENROUTE_WINDOWS:
        for window in windows:
            yield Column(f"{group}_enroute_delay_{window}", "outcomes", group, window, "enroute", "flown")


def _today() -> Iterator[Column]:
    """How the day has gone so far, since four in the morning at the origin, for the airport and for its carrier."""
    for group in ("origin", "origin_carrier"):
        yield Column(f"{group}_departure_delay_today", "departures", group, "today", "delay", "count")
        yield Column(f"{group}_departures_late_today", "departures", group, "today", "late", "count")
        yield Column(f"{group}_disrupted_today", "outcomes", group, "today", "disrupted", "count")
        yield Column(f"{group}_cancelled_today", "outcomes", group, "today", "cancelled")


def _usual() -> Iterator[Column | str]:
    """What delay is usual at the origin at this hour and at the flight's, and how today differs from it."""
    yield Column("usual_delay_now", "departures", "origin_now", "28d", "delay", "count")
    yield Column("usual_delay_then", "departures", "origin_hour", "28d", "delay", "count")
    yield from ("delay_above_usual", "delay_growth")


# Flights that should be gone and are not: (prefix of the columns, group).
OVERDUE = (
    *((group, group) for group in ("origin", "origin_carrier", "carrier", "all")),
    ("to_dest", "dest"),
    ("to_region", "region"),
)


def _overdue() -> Iterator[Column | str]:
    """Flights that should be gone and are not, and how long they have waited in all."""
    for name, group in OVERDUE:
        yield Column(f"{name}_overdue", "overdue", group, "until_now", "count")
        yield f"{name}_overdue_minutes"


def _demand() -> Iterator[Column | str]:
    """Departures against demand, and how full the flight's own hour is, at the airport and for its carrier."""
    yield Column("origin_due_1h", "demand", "origin", "1h", "count")
    yield from ("origin_throughput_3h", "origin_overdue_share")
    for window in ("around", "hour_before", "3h_before", "hour_after"):
        yield Column(f"origin_demand_{window}", "demand", "origin", window, "count")
    yield Column("origin_carrier_demand_around", "demand", "origin_carrier", "around", "count")


_LIST: tuple[Column | str, ...] = (
    *_SCHEDULE,
    *_delays(),
    *_today(),
    *_usual(),
    *(f"{group}_disrupted_28d" for group in RECORDS),
    *_overdue(),
    *_demand(),
    *recent_weather.NAMES,
)
NAMES = tuple(each.name if isinstance(each, Column) else each for each in _LIST)
COLUMNS = tuple(each for each in _LIST if isinstance(each, Column))
