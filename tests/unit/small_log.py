"""A small log of real facts, and changes to it: corrections, late facts, contradictions, at and around a moment."""

import json
import random
from bisect import bisect
from datetime import date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from backend.clock import DAY, HOUR, MINUTE, to_epoch
from backend.flights import events
from backend.flights.events import SCHEDULE_KNOWN_BEFORE, WEATHER_FIELDS, WEATHER_KNOWN_AFTER, Event
from backend.flights.facts import LogRow, from_rows
from backend.flights.history import History
from backend.flights.places import Airport, Places
from backend.flights.sources import nycflights13
from backend.flights.sources.airports import known_airports

NEW_YORK = ZoneInfo("America/New_York")
ORIGINS = ("EWR", "JFK", "LGA")
DESTS = ("ATL", "BOS", "LAX", "SJU", "PHX", "ORD")
# How far from `as_of` a fact becomes known: the ends of windows, the moments beside them, and anything between.
OFFSETS = [
    end + beside
    for end in (-28 * DAY, -2 * DAY, -DAY, -12 * HOUR, -6 * HOUR, -3 * HOUR, -HOUR, 0, HOUR, DAY)
    for beside in (-1, 0, 1)
]


# Carrier, number, origin, dest, scheduled departure, scheduled arrival or None.
Asked = tuple[str, int, str, str, int, int | None]


class Scheduled(NamedTuple):
    """A flight of the log, by the schedule that was recorded first."""

    departure: int
    id: str
    dest: str
    arrival: int


@cache
def airports() -> dict[str, Airport]:
    """Every airport that the facts may name."""
    return known_airports()


@cache
def places() -> Places:
    """The same, as features ask for them."""
    return Places(airports().values())


@cache
def real_log(first: date, last: date, every: int) -> tuple[Event, ...]:
    """Facts of the days from `first` to `last`: flights whose number is a multiple of `every`, and the weather."""
    frame = nycflights13.flights_until(last)
    days = frame["month"] * 100 + frame["day"]
    flights = nycflights13.read(frame[(days >= first.month * 100 + first.day) & (frame["flight"] % every == 0)]).events
    since, until = flights[0].known_at, flights[-1].known_at
    weather = [event for event in nycflights13.read_weather().events if since <= event.known_at <= until]
    return tuple(sorted([*flights, *weather], key=lambda event: (event.known_at, event.subject, event.kind)))


def rows_of(log: list[Event]) -> list[LogRow]:
    """The rows that recording those events in that order makes."""
    return [(seq, *event) for seq, event in enumerate(log, start=1)]


def history_of(log: list[Event]) -> History:
    """The history that those events make."""
    return History(from_rows(rows_of(log)), places())


def flights_in(log: list[Event]) -> list[Scheduled]:
    """The flights of a log by departure."""
    found: dict[str, Scheduled] = {}
    for event in log:
        if event.kind == "scheduled" and event.subject not in found:
            said = json.loads(event.details or "")
            found[event.subject] = Scheduled(event.at, event.subject, said["dest"], said["arrival"])
    return sorted(found.values())


def asked_about(log: list[Event], as_of: int, most: int, rng: random.Random) -> list[Asked]:
    """At most so many of the flights that depart within 24 hours of `as_of`, some of them with no known arrival."""
    coming = [flight for flight in flights_in(log) if as_of <= flight.departure <= as_of + DAY]
    rows: list[Asked] = []
    for flight in sorted(rng.sample(coming, min(most, len(coming)))):
        _, carrier, number, origin = events.split_flight_id(flight.id)
        arrival = flight.arrival if rng.random() < 0.7 else None
        rows.append((carrier, number, origin, flight.dest, flight.departure, arrival))
    return rows


def a_change(log_flights: list[Scheduled], as_of: int, rng: random.Random) -> Event:
    """Any event that can be recorded: about a flight of the log or a new one, known around `as_of`."""
    moment = as_of + rng.choice(OFFSETS) if rng.random() < 0.5 else as_of + rng.randrange(-3 * DAY, 2 * DAY)
    kind = rng.choice(["departed", "arrived", "cancelled", "diverted", "scheduled", "scheduled", "new", "weather"])
    if kind == "weather":
        hour = (moment - WEATHER_KNOWN_AFTER) // HOUR * HOUR
        values = {name: rng.choice([None, 0.0, 0.07, 31.5]) for name in WEATHER_FIELDS}
        return events.weather(rng.choice(ORIGINS), hour, values)
    dest = rng.choice(DESTS)
    block = rng.randrange(30, 600) * MINUTE
    if kind == "new":
        departure = moment + SCHEDULE_KNOWN_BEFORE
        day = datetime.fromtimestamp(departure, NEW_YORK).date()
        number = rng.randrange(7000, 7004)
        flight = events.flight_id(day, rng.choice(["UA", "9E"]), number, rng.choice(ORIGINS))
        return events.scheduled(flight, departure, departure + block, dest)
    near = moment + SCHEDULE_KNOWN_BEFORE if kind == "scheduled" else moment - rng.randrange(-3, 14) * HOUR
    position = bisect(log_flights, (near,)) + rng.randrange(-3, 4)
    found = log_flights[max(0, min(position, len(log_flights) - 1))]
    minutes = rng.choice([-31, -5, 0, 14, 15, 90, 301])
    if kind == "scheduled":
        # A flight's key has its local date: whatever else is corrected, its departure stays on that date.
        day = date.fromisoformat(found.id[:10])
        midnight = to_epoch(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK))
        tomorrow = day + timedelta(days=1)
        next_midnight = to_epoch(datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=NEW_YORK))
        departure = max(midnight, min(near, next_midnight - MINUTE))
        return events.scheduled(found.id, departure, departure + block, rng.choice([dest, found.dest]))
    if kind in ("departed", "arrived"):
        make = events.departed if kind == "departed" else events.arrived
        return make(found.id, moment, minutes)
    if kind == "cancelled":
        return events.cancelled(found.id, moment, found.departure)
    return events.diverted(found.id, moment - events.DIVERSION_KNOWN_AFTER)


def changed(log: list[Event], as_of: int, count: int, rng: random.Random, known_after: int = 0) -> list[Event]:
    """The log with so many changes known after `known_after`, each recorded at some place: the last, or any."""
    flights, out = flights_in(log), list(log)
    for _ in range(count):
        event = a_change(flights, as_of, rng)
        if event.known_at > known_after:
            out.insert(len(out) if rng.random() < 0.5 else rng.randrange(len(out) + 1), event)
    return out


def altered(event: Event, rng: random.Random) -> Event:
    """Another event about the same thing, known at the same time."""
    if event.kind == "weather":
        values = {name: rng.choice([None, 99.0]) for name in WEATHER_FIELDS}
        return events.weather(event.subject.split(".")[1], event.at, values)
    if event.kind == "scheduled":
        return events.scheduled(event.subject, event.at, event.at + rng.randrange(1, 9) * HOUR, rng.choice(DESTS))
    if event.kind in ("departed", "arrived"):
        return event._replace(delay_minutes=rng.choice([-20, 0, 15, 400]))
    return event._replace(kind="cancelled" if event.kind == "diverted" else "diverted")
