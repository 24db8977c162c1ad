"""What a rehearsal breaks on purpose. Each event that is not as it was carries the name of what broke it."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from backend.clock import HOUR, MINUTE
from backend.flights import events
from backend.flights.events import Event
from backend.flights.label import LATE_MINUTES

ACCEPTED = "delays:JFK:x2 (delays at an airport, times two), feed:2h (everything is told late) and model"
HELP = f"in a rehearsal, break something on purpose; may be given several times: {ACCEPTED}"
_DELAYS = re.compile(r"delays:([A-Z]{3}):x(\d{1,2}(?:\.\d)?)")
_FEED = re.compile(r"feed:(\d{1,2})h")
TURNED_MINUTES = 60


class Break(NamedTuple):
    """One way to break things: the events of one flight to what is told instead, and how late it is told (seconds)."""

    name: str
    change: Callable[[Sequence[Event]], list[Event]]
    late: int = 0


def read(text: str) -> Break:
    """The break of that name. Raises ValueError for any other text."""
    if found := _DELAYS.fullmatch(text):
        airport, factor = found[1], float(found[2])
        return Break(text, lambda flight: _delayed(flight, airport, factor))
    if found := _FEED.fullmatch(text):
        return Break(text, list, int(found[1]) * HOUR)
    if text == "model":
        return Break(text, _turned)
    raise ValueError(f"{text!r} is nothing that can be broken: give {ACCEPTED}")


def _delayed(flight: Sequence[Event], airport: str, factor: float) -> list[Event]:
    """Those who leave the airport late leave so many times later, and arrive as much later as they left."""
    left = next((event for event in flight if event.kind == "departed"), None)
    if left is None or left.subject.rpartition(".")[2] != airport or (left.delay_minutes or 0) <= 0:
        return list(flight)
    more = round((left.delay_minutes or 0) * (factor - 1))
    return [_later(event, more) if event.kind in ("departed", "arrived") else event for event in flight]


def _turned(flight: Sequence[Event]) -> list[Event]:
    """Those who came in time come an hour late, and those who came late come in time: no model knows this world."""
    return [
        _later(event, TURNED_MINUTES if (event.delay_minutes or 0) < LATE_MINUTES else -(event.delay_minutes or 0))
        if event.kind == "arrived"
        else event
        for event in flight
    ]


def _later(event: Event, minutes: int) -> Event:
    at, delay = event.at + minutes * MINUTE, (event.delay_minutes or 0) + minutes
    if event.kind == "arrived":
        return events.arrived(event.subject, at, delay)
    return event._replace(at=at, known_at=at, delay_minutes=delay)
