"""The event log as columns: one stream of rows for schedules, departures, outcomes and weather.

A row is believed from its `known_at` until a row that was recorded later (a higher `seq`) about the same thing becomes
known; `valid_to` says when that is. So a correction changes what is known from its own time on, and nothing before.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from backend.flights.events import WEATHER_FIELDS, split_flight_id
from backend.flights.label import OUTCOMES
from backend.flights.windows import FOREVER

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = TypeVar("Array", Ints, Floats)

# One row of the log: seq, subject, kind, known_at, at, delay_minutes, details.
LogRow = tuple[int, str, str, int, int, int | None, str | None]


def pack(code: str) -> int:
    """A code of at most four ASCII characters as an integer, the same everywhere: no table of codes is needed."""
    return int.from_bytes(code.encode("ascii"), "little")


def pack_all(codes: Iterable[str]) -> Ints:
    """`pack` of each code: shape (n,)."""
    return np.array(list(codes), dtype="S4").view("<u4").astype(np.int64)


def pair(left: Ints, right: Ints) -> Ints:
    """One key from two, each below 2**31 (the right one below 2**32: seconds until the year 2106 are)."""
    return left << 32 | right


def unpack(packed: int) -> str:
    """The code that `pack` made this integer from."""
    return int(packed).to_bytes(4, "little").rstrip(b"\0").decode("ascii")


@dataclass(frozen=True)
class Stream:
    """Rows of one kind in order of recording (those that waited come later), each column of shape (n,): `subject`
    indexes flights (for weather: packed station), `value` is what the kind needs (see Facts), `valid_to` when the row
    stopped being believed."""

    subject: Ints
    seq: Ints
    known_at: Ints
    at: Ints
    value: Ints
    valid_to: Ints


@dataclass(frozen=True)
class Facts:
    """What a stretch of the event log says.

    `flights` maps ids to positions in carrier, number, origin, dest, departure, arrival (shape (f,); codes packed,
    dest and times by the first schedule that was recorded). Streams: `schedules.value` is the scheduled arrival and
    `schedule_dest` the destination, shape (s,), `departures.value` the delay in minutes, `outcomes.value` 4 * delay in
    minutes + the outcome's kind. `weather_values` has shape (w, 9): the columns of WEATHER_FIELDS. `waiting` are rows
    about flights whose schedule has not been recorded yet.
    """

    seq: int
    flights: dict[str, int]
    carrier: Ints
    number: Ints
    origin: Ints
    dest: Ints
    departure: Ints
    arrival: Ints
    schedules: Stream
    schedule_dest: Ints
    departures: Stream
    outcomes: Stream
    weather: Stream
    weather_values: Floats
    waiting: tuple[LogRow, ...]


def from_rows(rows: Iterable[LogRow], older: Facts | None = None) -> Facts:
    """The facts in rows of the log, which come in order of `seq`, after those in `older`.

    Events of flights whose schedule is in neither wait for it: it may be recorded later, and where these rows are a
    stretch of the log, it may be in an earlier one.
    """
    flights = dict(older.flights) if older else {}
    known_flights = len(flights)
    first: list[tuple[str, int, str, str, int, int]] = []
    plans: list[tuple[int, int, int, int, int]] = []
    plan_dests: list[str] = []
    weather: list[tuple[int, int, int, int, int]] = []
    values: list[list[float | None]] = []
    others = list(older.waiting) if older else []
    newest = older.seq if older else 0
    for seq, subject, kind, known_at, at, delay, details in rows:
        newest = seq
        if kind == "weather":
            assert details is not None
            measured = json.loads(details)
            weather.append((pack(subject.rpartition(".")[2]), seq, known_at, at, at))
            values.append([measured[name] for name in WEATHER_FIELDS])
            continue
        if kind != "scheduled":
            others.append((seq, subject, kind, known_at, at, delay, details))
            continue
        assert details is not None
        said = json.loads(details)
        if subject not in flights:
            flights[subject] = known_flights + len(first)
            _, carrier, number, origin = split_flight_id(subject)
            first.append((carrier, number, origin, said["dest"], at, said["arrival"]))
        plans.append((flights[subject], seq, known_at, at, said["arrival"]))
        plan_dests.append(said["dest"])
    departed: list[tuple[int, int, int, int, int]] = []
    outcomes: list[tuple[int, int, int, int, int]] = []
    waiting: list[LogRow] = []
    for row in others:
        seq, subject, kind, known_at, at, delay, _ = row
        if (index := flights.get(subject)) is None:
            waiting.append(row)
        elif kind == "departed":
            departed.append((index, seq, known_at, at, delay or 0))
        elif kind in OUTCOMES:
            outcomes.append((index, seq, known_at, at, 4 * (delay or 0) + OUTCOMES[kind]))
    carriers, numbers, origins, dests, departures, arrivals = zip(*first, strict=True) if first else ((),) * 6

    def grown(column: str, new: Array) -> Array:
        return np.concatenate([getattr(older, column), new]) if older else new

    return Facts(
        seq=newest,
        flights=flights,
        carrier=grown("carrier", pack_all(carriers)),
        number=grown("number", np.array(numbers, np.int64)),
        origin=grown("origin", pack_all(origins)),
        dest=grown("dest", pack_all(dests)),
        departure=grown("departure", np.array(departures, np.int64)),
        arrival=grown("arrival", np.array(arrivals, np.int64)),
        schedules=_stream(plans, older.schedules if older else None),
        schedule_dest=grown("schedule_dest", pack_all(plan_dests)),
        departures=_stream(departed, older.departures if older else None),
        outcomes=_stream(outcomes, older.outcomes if older else None),
        weather=_stream(weather, older.weather if older else None, hourly=True),
        weather_values=grown("weather_values", np.array(values, np.float64).reshape(len(values), len(WEATHER_FIELDS))),
        waiting=tuple(waiting),
    )


def _stream(rows: list[tuple[int, int, int, int, int]], older: Stream | None, hourly: bool = False) -> Stream:
    table = np.array(rows, np.int64).reshape(len(rows), 5).T
    if older:
        table = np.concatenate([[older.subject, older.seq, older.known_at, older.at, older.value], table], axis=1)
    subject, seq, known_at, at, value = table
    thing = pair(subject, at) if hourly else subject
    return Stream(subject, seq, known_at, at, value, _valid_to(thing, seq, known_at))


def _valid_to(thing: Ints, seq: Ints, known_at: Ints) -> Ints:
    """When each row stopped being believed: the earliest `known_at` of the later rows about the same thing."""
    valid_to = np.full(len(thing), FOREVER, np.int64)
    order = np.lexsort((seq, thing))
    same_as_next = thing[order][:-1] == thing[order][1:]
    for position in np.flatnonzero(same_as_next)[::-1].tolist():
        row, later = order[position], order[position + 1]
        valid_to[row] = min(known_at[later], valid_to[later])
    return valid_to
