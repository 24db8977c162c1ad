"""The facts behind the features of a flight: which facts each is made from, how many they are, and the newest of them.

Counts come from the sums that the features themselves are made from; the newest fact is looked for in the log's rows.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from backend.flights import believed, features
from backend.flights.believed import WEATHER_LOOKS_BACK, Fact
from backend.flights.columns import GROUPS, MOMENTS, WINDOWS, Asked, Kind
from backend.flights.contributions import OVERDUE_AT_MOST
from backend.flights.facts import Facts
from backend.flights.feature_list import COLUMNS, NAMES, OVERDUE, RECORDS
from backend.flights.features import Flights
from backend.flights.history import History


class Source(NamedTuple):
    """Facts of one kind (departures, outcomes, demand, overdue, weather or schedule) about the flights of a group, in a
    window of columns.WINDOWS; the flight's own schedule and its airport's weather have neither."""

    kind: str
    group: str = ""
    window: str = ""


class Found(NamedTuple):
    """What a source holds: facts after `after` and until `until` (epoch seconds), how many, and the newest."""

    after: int
    until: int
    number: int
    newest: Fact | None


SCHEDULE, WEATHER = Source("schedule"), Source("weather")
# What features are made from that are no single sum: see features.py.
_MORE: Mapping[str, tuple[Source, ...]] = {
    "block_above_usual": (SCHEDULE, Source("demand", "route", "28d")),
    "delay_above_usual": (Source("departures", "origin", "3h"), Source("departures", "origin_now", "28d")),
    "delay_growth": (Source("departures", "origin", "1h"), Source("departures", "origin", "6h")),
    "origin_throughput_3h": (Source("departures", "origin", "3h"), Source("demand", "origin", "3h")),
    "origin_overdue_share": (Source("overdue", "origin", "until_now"), Source("demand", "origin", "1h")),
    **{
        f"{group}_disrupted_28d": (Source("outcomes", group, "28d"), Source("outcomes", "all", "28d"))
        for group in RECORDS
    },
    **{f"{name}_overdue_minutes": (Source("overdue", group, "until_now"),) for name, group in OVERDUE},
}


@cache
def sources() -> Mapping[str, tuple[Source, ...]]:
    """What each feature is made from, by its name, in the order of the list of features."""
    known = {column.name: (Source(column.kind, column.group, column.window),) for column in COLUMNS} | dict(_MORE)
    return {name: known.get(name, (WEATHER,) if name.startswith("weather_") else (SCHEDULE,)) for name in NAMES}


def find(flight: Flights, as_of: int, facts: Facts, history: History) -> dict[Source, Found]:
    """What stands behind the features of one flight as of a moment (epoch seconds), by source.

    `facts` are those that `history` was made from. The flight's own schedule is not looked for.
    """
    asked = features.asked(flight, np.array([as_of], np.int64), history)
    tables = {
        "departures": history.departures,
        "outcomes": history.outcomes,
        "demand": history.demand,
        "overdue": history.overdue,
    }
    found: dict[Source, Found] = {}
    for kind, table in tables.items():
        mine = sorted({source for several in sources().values() for source in several if source.kind == kind})
        sums = Kind(kind, (), NAMES, [(source.group, source.window) for source in mine])
        looked = sums.look(np.empty((len(NAMES), 1)), table, asked)
        rows = believed.rows(kind, facts, history, as_of)
        for source in mine:
            after, until = _window(source, asked)
            # Of a route, schedules count from when they became known.
            by_known = kind in ("departures", "outcomes") or source.group == "route"
            time = rows.stream.known_at if by_known else rows.stream.at
            count = int(looked.of(source.group, source.window, "count")[0])
            key = int(asked.keys[GROUPS.index(source.group), 0])
            newest = rows.newest(source.group, key, time, after, until) if count else None
            found[source] = Found(after, until, count, newest)
    hours, latest = believed.weather(facts, int(flight.origin[0]), as_of)
    return found | {WEATHER: Found(as_of - WEATHER_LOOKS_BACK, as_of, hours, latest)}


def _window(source: Source, asked: Asked) -> tuple[int, int]:
    """From when until when facts count. Of flights that are overdue, those that were due in the last half day."""
    ends = [int(asked.moments[MOMENTS.index(moment), 0]) + seconds for moment, seconds in WINDOWS[source.window]]
    return (ends[1] - OVERDUE_AT_MOST if source.kind == "overdue" else ends[0]), ends[1]
