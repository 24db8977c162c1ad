"""The seven kinds of facts, and the rules that say when each became known. No sender sets `known_at`.

Rules (docs/data.md gives the reasons): a schedule is known 48 h before departure; a departure and an arrival when they
happen; a cancellation at the scheduled departure unless the source says when; a diversion three hours after the
scheduled arrival; an hour of weather five minutes after its end; an aircraft's assignment when it was made. What was
said about a flight before its schedule is known, is known with it: whoever looks back two days then sees all of it.
"""

import hashlib
import json
from datetime import date
from typing import NamedTuple

from backend.clock import HOUR, MINUTE, from_epoch

SCHEDULE_KNOWN_BEFORE = 48 * HOUR
DIVERSION_KNOWN_AFTER = 3 * HOUR
WEATHER_KNOWN_AFTER = HOUR + 5 * MINUTE

KINDS = ("scheduled", "assigned", "departed", "arrived", "cancelled", "diverted", "weather")

# What a row of hourly weather may hold. Units: °F, °F, %, degrees, mph, mph, inches, hPa, miles.
WEATHER_FIELDS = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")

BROKEN = "broken"  # the detail that says so


class Event(NamedTuple):
    """One fact. Times are epoch seconds UTC; `details` is canonical JSON or None."""

    subject: str
    kind: str
    known_at: int
    at: int
    delay_minutes: int | None = None
    details: str | None = None

    @property
    def digest(self) -> bytes:
        """16 bytes that name what the event says: the same event twice has one digest, a correction has another."""
        text = f"{self.subject}|{self.kind}|{self.at}|{self.delay_minutes}|{self.details}"
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def flight_id(day_local: date | str, carrier: str, number: int, origin: str) -> str:
    """A flight's key: its local date of departure, carrier, number and origin, which are unique together."""
    return f"{day_local}.{carrier}.{number}.{origin}"


def split_flight_id(subject: str) -> tuple[str, str, int, str]:
    """The parts of a flight's key: (date, carrier, number, origin). Raises ValueError when it is none."""
    parts = subject.split(".")
    if len(parts) != 4 or not parts[2].isdecimal():
        raise ValueError(f"{subject!r} is not a flight id like 2013-04-01.UA.1545.EWR")
    return parts[0], parts[1], int(parts[2]), parts[3]


def scheduled(flight: str, departure: int, arrival: int, dest: str) -> Event:
    """The schedule of a flight, known 48 h before its departure."""
    details = f'{{"arrival":{arrival},"dest":"{dest}"}}'
    return Event(flight, "scheduled", departure - SCHEDULE_KNOWN_BEFORE, departure, None, details)


def assigned(flight: str, at: int, departure: int, aircraft: str) -> Event:
    """The aircraft that was planned for a flight, known when the feed says that it was assigned.

    `departure` is the scheduled one, here and below: nothing is known of a flight before its schedule is.
    """
    details = json.dumps({"aircraft": aircraft}, separators=(",", ":"))
    return Event(flight, "assigned", max(at, departure - SCHEDULE_KNOWN_BEFORE), at, None, details)


def departed(flight: str, at: int, delay_minutes: int, aircraft: str | None = None) -> Event:
    """The actual departure, known when it happened; which aircraft flew is known from then on too."""
    details = None if aircraft is None else f'{{"aircraft":{json.dumps(aircraft)}}}'
    return Event(flight, "departed", at, at, delay_minutes, details)


def arrived(flight: str, at: int, delay_minutes: int) -> Event:
    """The actual arrival, known when it happened."""
    return Event(flight, "arrived", at, at, delay_minutes)


def cancelled(flight: str, at: int, departure: int) -> Event:
    """A cancellation. `at` is when the source says that it was made, or else the scheduled departure."""
    return Event(flight, "cancelled", max(at, departure - SCHEDULE_KNOWN_BEFORE), at)


def diverted(flight: str, scheduled_arrival: int) -> Event:
    """A diversion, known three hours after the arrival that was scheduled."""
    return Event(flight, "diverted", scheduled_arrival + DIVERSION_KNOWN_AFTER, scheduled_arrival)


def weather(station: str, hour: int, values: dict[str, float | None]) -> Event:
    """One hour of weather at a station. The source's row holds its hour's maxima, so it is known after the hour's end.

    `hour` is the hour's start; values are in the units of WEATHER_FIELDS, None where nothing was measured.
    """
    details = json.dumps({name: values.get(name) for name in WEATHER_FIELDS}, separators=(",", ":"))
    return Event(
        f"{from_epoch(hour):%Y-%m-%dT%H}.{station}", "weather", hour + WEATHER_KNOWN_AFTER, hour, None, details
    )


def marked(event: Event, broken: str) -> Event:
    """The same event, which says that it was broken on purpose, by what. Rehearsals alone do that."""
    details = json.loads(event.details or "{}")
    said = ", ".join([details[BROKEN], broken] if BROKEN in details else [broken])
    return event._replace(details=json.dumps({**details, BROKEN: said}, separators=(",", ":")))
