"""The one table that every source is read into, the checks on its rows, and the events that good rows become.

A bad row is refused with its file, line, column and reason; the others go on.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from backend.flights import events
from backend.flights.events import Event
from backend.flights.places import Airport

# Columns of the table, as text just as the source has them; "" or NaN is a missing value. `line` is the line in `file`.
COLUMNS = ("date", "carrier", "number", "origin", "dest", "scheduled_departure", "scheduled_arrival")
OPTIONAL = ("departure_delay", "arrival_delay", "aircraft", "cancelled", "diverted")
COLUMN_OF_KIND = {
    "scheduled": "scheduled_departure",
    "departed": "departure_delay",
    "arrived": "arrival_delay",
    "cancelled": "cancelled",
    "diverted": "diverted",
}

LONGEST_FLIGHT = 20 * 3600
SHORTEST_FLIGHT = 10 * 60
LARGEST_DELAY_MINUTES = 3 * 24 * 60
EARLIEST_MINUTES = -6 * 60


class Reject(NamedTuple):
    """A row that was refused: `line` counts from 1 with the header, `column` is the source's name for it."""

    file: str
    line: int
    column: str
    value: str
    reason: str


class Reading(NamedTuple):
    """What a source holds: events in order of `known_at`, rows read, rows repeated in it, and rows refused.

    `lines` is where in `file` each flight or hour stands, by the events' subject; `columns` is the source's name for
    what each kind of event says.
    """

    events: list[Event]
    read: int
    repeated: int
    rejects: list[Reject]
    file: str = ""
    lines: Mapping[str, int] = MappingProxyType({})
    columns: Mapping[str, str] = MappingProxyType({})

    def refusal(self, subject: str, kind: str, reason: str) -> Reject:
        """The refusal of the row about that flight or hour, for what it says with that kind of event."""
        return Reject(self.file, self.lines[subject], self.columns[kind], subject, reason)


class _Checked:
    """A table whose rows lose their standing when a check fails; the first reason counts."""

    def __init__(self, file: str, table: pd.DataFrame, names: dict[str, str]) -> None:
        self.file, self.table, self.names = file, table, names
        self.good = np.ones(len(table), bool)
        self.rejects: list[Reject] = []

    def refuse(self, bad: np.ndarray, column: str, reason: str | Callable[[int], str]) -> None:
        """Refuse the rows of `bad` (a mask of shape (n,)) that still stood."""
        for position in np.flatnonzero(bad & self.good).tolist():
            row = self.table.iloc[position]
            why = reason if isinstance(reason, str) else reason(position)
            value = "" if pd.isna(row[column]) else str(row[column])
            self.rejects.append(Reject(self.file, int(row["line"]), self.names[column], value, why))
        self.good &= ~bad

    def numbers(self, column: str, default: float | None = None) -> np.ndarray:
        """A column as floats of shape (n,), NaN where it is missing; what is no number is refused."""
        raw = self.table[column]
        numbers = pd.to_numeric(raw, errors="coerce").to_numpy(dtype=float, na_value=np.nan, copy=True)
        missing = raw.isna().to_numpy() | (raw.astype(str).str.strip() == "").to_numpy(dtype=bool)
        numbers[np.isinf(numbers)] = np.nan
        self.refuse(np.isnan(numbers) & ~missing, column, "is not a number")
        return numbers if default is None else np.where(np.isnan(numbers), default, numbers)


def to_events(file: str, table: pd.DataFrame, names: dict[str, str], airports: dict[str, Airport]) -> Reading:
    """Check the table's rows and make their events.

    `table` has `line`, COLUMNS and OPTIONAL; `names` maps them to the source's own names, for messages.
    """
    checked = _Checked(file, table.reset_index(drop=True), names)
    table = checked.table
    carrier = table["carrier"].fillna("").astype(str).str.strip()
    checked.refuse(~carrier.str.fullmatch(r"[A-Z0-9]{2,3}").to_numpy(bool), "carrier", "is not a carrier's code")
    number = checked.numbers("number", default=-1)
    checked.refuse((number < 1) | (number > 9999) | (number % 1 != 0), "number", "is not a flight number, 1 to 9999")
    days = pd.to_datetime(table["date"], format="%Y-%m-%d", errors="coerce")
    checked.refuse(days.isna().to_numpy(), "date", "is not a date")
    for column in ("origin", "dest"):
        known = table[column].isin(airports).to_numpy(bool)
        checked.refuse(~known, column, "is an airport that is neither in the source nor in the supplement")

    departure = _instant(checked, "scheduled_departure", days, "origin", airports)
    # An arrival's local date is not in the data: it is the first moment with that local time after the departure.
    the_day_before, that_day, the_day_after = (
        _instant(checked, "scheduled_arrival", days + pd.Timedelta(days=later), "dest", airports)
        for later in (-1, 0, 1)
    )
    arrival = np.where(that_day > departure, that_day, the_day_after)
    arrival = np.where(the_day_before > departure, the_day_before, arrival)
    block = arrival - departure
    impossible = (block < SHORTEST_FLIGHT) | (block > LONGEST_FLIGHT)
    checked.refuse(impossible, "scheduled_arrival", "gives a flight of less than 10 minutes or more than 20 hours")

    departure_delay, arrival_delay = checked.numbers("departure_delay"), checked.numbers("arrival_delay")
    for column, delay in (("departure_delay", departure_delay), ("arrival_delay", arrival_delay)):
        checked.refuse(
            (delay < EARLIEST_MINUTES) | (delay > LARGEST_DELAY_MINUTES),
            column,
            "is not a possible delay: from 6 hours early to 3 days late",
        )
    flag = {"cancelled": checked.numbers("cancelled", 0) > 0, "diverted": checked.numbers("diverted", 0) > 0}
    landed = ~np.isnan(arrival_delay)
    left = ~np.isnan(departure_delay)
    checked.refuse(landed & flag["cancelled"], "arrival_delay", "contradicts that the flight was cancelled")
    checked.refuse(landed & ~left, "arrival_delay", "is given for a flight without a departure")
    airborne = block + (arrival_delay - departure_delay) * 60
    checked.refuse(landed & (airborne <= 0), "arrival_delay", "gives an arrival before the departure")
    checked.refuse(
        ~left & ~flag["cancelled"] & flag["diverted"], "diverted", "is given for a flight without a departure"
    )

    ids = [
        events.flight_id(day, code, int(flight), origin) if good else ""
        for day, code, flight, origin, good in zip(
            table["date"], carrier, number, table["origin"], checked.good, strict=True
        )
    ]
    aircraft = [str(tail) if isinstance(tail, str) and tail else None for tail in table["aircraft"]]
    minutes = [[None if np.isnan(m) else int(m) for m in delay] for delay in (departure_delay, arrival_delay)]
    flags = (flag["cancelled"].tolist(), flag["diverted"].tolist())
    words = list(zip(ids, departure.tolist(), arrival.tolist(), table["dest"], aircraft, *minutes, *flags, strict=True))
    first = _first_rows(checked, words)
    made = [event for position in first.values() for event in _events_of(words[position])]
    made.sort(key=lambda event: (event.known_at, event.subject, event.kind))
    rejects = sorted(checked.rejects, key=lambda reject: reject.line)
    lines = dict(zip(first, table["line"].to_numpy()[list(first.values())].tolist(), strict=True))
    columns = {kind: names[column] for kind, column in COLUMN_OF_KIND.items()}
    return Reading(made, len(table), int(checked.good.sum()) - len(first), rejects, file, lines, columns)


# What a row says: id, scheduled departure and arrival, destination, aircraft, delays in minutes, cancelled, diverted.
_Word = tuple[str, int, int, str, str | None, int | None, int | None, bool, bool]


def _events_of(word: _Word) -> Iterator[Event]:
    flight, departure, arrival, dest, aircraft, departure_delay, arrival_delay, cancelled, diverted = word
    yield events.scheduled(flight, departure, arrival, dest)
    left_at = departure
    if departure_delay is not None:
        left_at += departure_delay * 60
        yield events.departed(flight, left_at, departure_delay, aircraft)
    if cancelled:
        # A flight that left its gate and came back was cancelled after it had left.
        yield events.cancelled(flight, max(departure, left_at), departure)
    elif diverted:
        yield events.diverted(flight, arrival)
    elif arrival_delay is not None:
        yield events.arrived(flight, arrival + arrival_delay * 60, arrival_delay)


def _instant(checked: _Checked, column: str, days: pd.Series, place: str, airports: dict[str, Airport]) -> np.ndarray:
    """Epoch seconds, shape (n,), of a local HHMM (0 to 2400) on that day at the airport in `place`."""
    clock = checked.numbers(column, default=-1)
    wrong = (clock < 0) | (clock > 2400) | (clock % 100 >= 60) | (clock % 1 != 0)
    checked.refuse(wrong, column, "is not a local time, 0000 to 2400")
    minutes = np.where(checked.good, clock // 100 * 60 + clock % 100, 0)
    # A row that was refused keeps a place in the arrays, with a time that nothing reads.
    local = days.fillna(pd.Timestamp("2000-01-01")) + pd.to_timedelta(minutes, unit="min")
    zones = checked.table[place].map(lambda code: airports[code].time_zone if code in airports else "UTC")
    epoch = np.zeros(len(local), np.int64)
    for zone, rows in local.groupby(zones.to_numpy()):
        # A local time that clocks skip in spring is read an hour later; one that comes twice in autumn is the first.
        utc = rows.dt.tz_localize(zone, ambiguous=np.ones(len(rows), bool), nonexistent="shift_forward")
        seconds = utc.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[s]")
        epoch[rows.index] = seconds.to_numpy().astype(np.int64)
    return epoch


def _first_rows(checked: _Checked, words: list[_Word]) -> dict[str, int]:
    """Where each flight's first row is. The same row again is passed over; one that says something else is refused."""
    first: dict[str, int] = {}
    contradicts = np.zeros(len(words), bool)
    for position, (word, good) in enumerate(zip(words, checked.good.tolist(), strict=True)):
        if good:
            contradicts[position] = words[first.setdefault(word[0], position)] != word
    lines = checked.table["line"].tolist()
    checked.refuse(contradicts, "number", lambda position: f"contradicts line {lines[first[words[position][0]]]}")
    return first
