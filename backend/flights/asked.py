"""Flights that somebody asks about: what a question must say, and what is wrong with one that cannot be answered.

Every way to ask (the API, a file) uses these rules. Faults are plain values; backend/store/schedules.py brings what is
stored.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from backend import clock
from backend.flights.events import flight_id
from backend.flights.features import LONGEST_LEAD

SCHEDULE_FIELDS = ("carrier", "flight", "origin", "dest", "scheduled_departure")
LARGEST_NUMBER = 9999
NOT_STORED = "is no flight whose schedule is stored"

# Carrier, number, origin, dest, scheduled departure and arrival.
Plan = tuple[str, int, str, str, int, int | None]


class Question(NamedTuple):
    """A flight by its `id`, or by its schedule: times in epoch seconds UTC, `arrival` None where it is not said."""

    id: str | None = None
    carrier: str = ""
    number: int = 0
    origin: str = ""
    dest: str = ""
    departure: int = 0
    arrival: int | None = None


class Stored(NamedTuple):
    """The newest word on a stored flight's schedule."""

    id: str
    carrier: str
    number: int
    origin: str
    dest: str
    departure: int
    arrival: int


class Schedule(NamedTuple):
    """A flight that can be answered about.

    `flight` is its id: date at the origin, carrier, number, origin; `stored` says whether such a flight with this
    departure and destination is. Where the schedule that is asked about is not wholly the stored one, `variant` says
    it in words, and it is a question of its own; else `variant` is empty.
    """

    flight: str
    stored: bool
    variant: str
    carrier: str
    number: int
    origin: str
    dest: str
    departure: int
    arrival: int | None

    @property
    def plan(self) -> Plan:
        """What the model is asked about."""
        return self.carrier, self.number, self.origin, self.dest, self.departure, self.arrival


class Fault(NamedTuple):
    """What is wrong with one field of a question; `accepted` are the values that it may have, where they are few."""

    field: str
    reason: str
    accepted: tuple[str, ...] = ()


class Known(NamedTuple):
    """What is stored about the flights that are asked about.

    `by_id` and `by_schedule` (by carrier, number, origin, dest, departure) hold schedules; `time_zones` those of the
    known airports; `carriers` the known ones.
    """

    by_id: Mapping[str, Stored]
    by_schedule: Mapping[tuple[str, int, str, str, int], Stored]
    time_zones: Mapping[str, str]
    carriers: Collection[str]


def resolve(question: Question, known: Known, as_of: int) -> Schedule | list[Fault]:
    """The schedule that the question is about, or everything that is wrong with asking about it as of `as_of`."""
    plan: Plan = question[1:]
    stored = known.by_schedule.get(question[1:6])
    if question.id is not None:
        stored = known.by_id.get(question.id)
        if stored is None:
            return [Fault("id", NOT_STORED)]
    as_stored = stored is not None and (question.id is not None or question.arrival in (None, stored.arrival))
    if stored is not None and as_stored:
        plan = stored[1:]
    faults = _faults(plan, known, as_of, stored is not None)
    if faults:
        whose = "names a flight whose"
        return faults if question.id is None else [Fault("id", f"{whose} {name} {why}") for name, why, _ in faults]
    flight = _natural_id(question, known) if stored is None else stored.id
    return Schedule(flight, stored is not None, "" if as_stored else _in_words(question), *plan)


def _faults(plan: Plan, known: Known, as_of: int, stored: bool) -> list[Fault]:
    carrier, _, origin, dest, departure, arrival = plan
    faults = []
    if carrier not in known.carriers and not stored:
        faults.append(Fault("carrier", "is not a known carrier", tuple(sorted(known.carriers))))
    for field, code in (("origin", origin), ("dest", dest)):
        if code not in known.time_zones:
            faults.append(Fault(field, "is not a known airport"))
    if departure < as_of:
        faults.append(Fault("scheduled_departure", f"had passed at {clock.iso(as_of)}: ask before it"))
    elif departure > as_of + LONGEST_LEAD:
        faults.append(Fault("scheduled_departure", f"is more than 24 hours after {clock.iso(as_of)}: ask later"))
    if arrival is not None and not departure < arrival <= departure + clock.DAY:
        faults.append(Fault("scheduled_arrival", "is not within 24 hours after the scheduled departure"))
    return faults


def _natural_id(question: Question, known: Known) -> str:
    """The id that the flight will have when its schedule is stored."""
    departure_local = clock.from_epoch(question.departure).astimezone(ZoneInfo(known.time_zones[question.origin]))
    return flight_id(departure_local.date(), question.carrier, question.number, question.origin)


def _in_words(question: Question) -> str:
    times = (clock.iso(time) for time in (question.departure, question.arrival) if time is not None)
    return " ".join((question.dest, *map(str, times)))


def missing_columns(names: Collection[str]) -> str | None:
    """A sentence where a file with these columns cannot say which flights are meant, else None."""
    missing = [name for name in SCHEDULE_FIELDS if name not in names]
    if not missing or "id" in names:
        return None
    has = ", ".join(names)
    return (
        f"The file lacks the columns {', '.join(missing)}: it needs a header with id, or with"
        f" {', '.join(SCHEDULE_FIELDS)}. It has {has[:200]!r}; cells are separated by commas."
    )


def from_row(row: Mapping[str, str]) -> Question | list[Fault]:
    """The question in a row of a file, or what cannot be read in it. An `id` counts before a schedule."""
    if row.get("id"):
        return Question(id=row["id"])
    missing = [name for name in SCHEDULE_FIELDS if not row.get(name)]
    if missing:
        return [Fault(name, "has no value") for name in missing]
    faults: list[Fault] = []
    digits = row["flight"]
    number = int(digits) if digits.isdecimal() and len(digits) <= 8 else 0
    if not 0 < number <= LARGEST_NUMBER:
        faults.append(Fault("flight", f"is no flight number, 1 to {LARGEST_NUMBER}"))
    times: dict[str, int | None] = {"scheduled_arrival": None}
    for name in ("scheduled_departure", "scheduled_arrival"):
        if row.get(name):
            try:
                times[name] = clock.to_epoch(datetime.fromisoformat(row[name]))
            except (ValueError, OverflowError):
                faults.append(Fault(name, "is no ISO 8601 time with its zone, like 2013-04-01T09:15:00Z"))
    departure = times.get("scheduled_departure")
    if faults or departure is None:
        return faults
    return Question(None, row["carrier"], number, row["origin"], row["dest"], departure, times["scheduled_arrival"])
