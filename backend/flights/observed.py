"""What a feed tells: one event with its own times and those of the schedule, checked, with `known_at` by our rules.

Everything that an event needs is in it, so that it is understood before its flight's schedule has arrived.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from backend.clock import DAY, HOUR, MINUTE, from_epoch, iso, to_epoch
from backend.flights import events
from backend.flights.events import BROKEN, WEATHER_FIELDS, Event

LATEST_DELAY = 3 * DAY
EARLIEST = -6 * HOUR
SHORTEST_FLIGHT, LONGEST_FLIGHT = 10 * MINUTE, 20 * HOUR
ID = re.compile(r"\d{4}-\d{2}-\d{2}\.[A-Z0-9]{2,3}\.[1-9]\d{0,3}\.[A-Z0-9]{3,4}")


class Refusal(ValueError):
    """Why an event is not stored: `field` is what is wrong with it, `rule` (a few words, one of few) what it broke, and
    the message the reason."""

    def __init__(self, field: str, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.rule = rule


class Said(NamedTuple):
    """One event as it was sent, and the time zones of the airports that are known."""

    fields: Mapping[str, Any]
    time_zones: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field that must be text. Raises Refusal."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise Refusal(name, "missing", "is missing") if value is None else Refusal(name, "not text", "is no text")
        return value

    def time(self, name: str) -> int:
        """A field that must be a time with its zone, in epoch seconds. Raises Refusal."""
        text = self.text(name)
        try:
            return to_epoch(datetime.fromisoformat(text))
        except (ValueError, OverflowError) as error:
            raise Refusal(name, "not a time", "is no ISO 8601 time with its zone, like 2013-04-01T09:15:00Z") from error

    def flight(self) -> str:
        """The id of the flight that it is about. Raises Refusal."""
        value = self.text("flight")
        if not ID.fullmatch(value):
            raise Refusal("flight", "no flight id", "is no flight id like 2013-04-01.UA.1545.EWR")
        if self._zone("flight", value.rpartition(".")[2]) and _is_date(value[:10]):
            return value
        raise Refusal("flight", "no flight id", "begins with a date that does not exist")

    def airport(self, name: str) -> str:
        """A field that must be a known airport's code. Raises Refusal."""
        value = self.text(name)
        self._zone(name, value)
        return value

    def _zone(self, name: str, airport: str) -> str:
        if airport not in self.time_zones:
            raise Refusal(name, "unknown airport", f"names {airport}, which is not a known airport")
        return self.time_zones[airport]

    def departure(self, flight: str) -> int:
        """The scheduled departure, which must be on the day that the flight's id names, at its origin."""
        at = self.time("scheduled_departure")
        zone = ZoneInfo(self.time_zones[flight.rpartition(".")[2]])
        if from_epoch(at).astimezone(zone).date().isoformat() != flight[:10]:
            raise Refusal("scheduled_departure", "another day", f"is not on {flight[:10]} at the origin")
        return at


def event(fields: Mapping[str, Any], time_zones: Mapping[str, str], as_of: int, rehearsal: bool = False) -> Event:
    """The event that those fields say, if it was known by `as_of`. Raises Refusal for whatever is wrong with it.

    In a rehearsal any event may say what `broken` it on purpose.
    """
    said = Said(fields, time_zones)
    kind = said.text("kind")
    if kind not in _READERS:
        raise Refusal("kind", "unknown kind", f"is none of {', '.join(_READERS)}")
    needed, more = FIELDS[kind]
    unknown = sorted(set(fields) - {"kind", BROKEN, *needed, *more})
    if unknown:
        raise Refusal(unknown[0], "unknown field", f"is no field of an event of kind {kind}")
    made = _READERS[kind](said)
    if made.known_at > as_of:
        raise Refusal("kind", "not known yet", f"became known at {iso(made.known_at)}, after as_of")
    return made if BROKEN not in fields else events.marked(made, _broken(said, rehearsal))


def _broken(said: Said, rehearsal: bool) -> str:
    if not rehearsal:
        raise Refusal(BROKEN, "no rehearsal", "is for a rehearsal: this installation is none (make rehearsal)")
    by = said.text(BROKEN)
    if not re.fullmatch(r"[A-Za-z0-9:., ]{1,80}", by):
        raise Refusal(BROKEN, "not text", "is no name of a break, like delays:JFK:x2")
    return by


def _scheduled(said: Said) -> Event:
    flight = said.flight()
    departure, arrival = said.departure(flight), said.time("scheduled_arrival")
    if not SHORTEST_FLIGHT <= arrival - departure <= LONGEST_FLIGHT:
        raise Refusal(
            "scheduled_arrival", "no flight time", "gives a flight of less than 10 minutes or more than 20 hours"
        )
    return events.scheduled(flight, departure, arrival, said.airport("dest"))


def _assigned(said: Said) -> Event:
    flight = said.flight()
    return events.assigned(flight, said.time("at"), said.departure(flight), _aircraft(said))


def _departed(said: Said) -> Event:
    flight = said.flight()
    at = said.time("at")
    aircraft = None if said.fields.get("aircraft") is None else _aircraft(said)
    return events.departed(flight, at, _delay_minutes(at, said.departure(flight)), aircraft)


def _arrived(said: Said) -> Event:
    at = said.time("at")
    return events.arrived(said.flight(), at, _delay_minutes(at, said.time("scheduled_arrival")))


def _cancelled(said: Said) -> Event:
    flight = said.flight()
    departure = said.departure(flight)
    return events.cancelled(flight, departure if said.fields.get("at") is None else said.time("at"), departure)


def _diverted(said: Said) -> Event:
    return events.diverted(said.flight(), said.time("scheduled_arrival"))


def _weather(said: Said) -> Event:
    hour, station = said.time("hour"), said.airport("station")
    if hour % HOUR:
        raise Refusal("hour", "not an hour", "is not the start of an hour")
    values: dict[str, float | None] = {}
    for name in WEATHER_FIELDS:
        value = said.fields.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise Refusal(name, "no weather", "is no number")
        if value is not None and not -500 <= value <= 2000:
            raise Refusal(name, "no weather", "is no weather: from -500 to 2000")
        values[name] = None if value is None else float(value)
    return events.weather(station, hour, values)


def _delay_minutes(at: int, scheduled: int) -> int:
    if not EARLIEST <= at - scheduled <= LATEST_DELAY:
        raise Refusal("at", "no delay", "is more than 6 hours before or 3 days after the schedule")
    return (at - scheduled) // MINUTE


def _aircraft(said: Said) -> str:
    value = said.text("aircraft")
    if not re.fullmatch(r"[A-Z0-9-]{2,10}", value):
        raise Refusal("aircraft", "no registration", "is no registration, like N12345")
    return value


def _is_date(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


_READERS: Mapping[str, Callable[[Said], Event]] = MappingProxyType(
    {
        "scheduled": _scheduled,
        "assigned": _assigned,
        "departed": _departed,
        "arrived": _arrived,
        "cancelled": _cancelled,
        "diverted": _diverted,
        "weather": _weather,
    }
)
# What an event of each kind says beside its kind, and what it may say.
FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "scheduled": (("flight", "scheduled_departure", "scheduled_arrival", "dest"), ()),
        "assigned": (("flight", "at", "scheduled_departure", "aircraft"), ()),
        "departed": (("flight", "at", "scheduled_departure"), ("aircraft",)),
        "arrived": (("flight", "at", "scheduled_arrival"), ()),
        "cancelled": (("flight", "scheduled_departure"), ("at",)),
        "diverted": (("flight", "scheduled_arrival"), ()),
        "weather": (("station", "hour"), WEATHER_FIELDS),
    }
)
