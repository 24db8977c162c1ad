"""Logged answers beside what happened: each flight counts once at each lead time, with its outcome once that is final.

Questions about the past, and about a schedule other than the stored one, are left out: nobody asked them of what was
coming. Who asked does not matter, but of several answers about a flight in one band of lead times the one nearest to
the lead time that the band is named after counts, so that a feeder that asks at just these is the yardstick, and who
looks again in between changes nothing.
"""

from dataclasses import dataclass, fields
from datetime import date

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from backend.clock import DAY, HOUR, MINUTE
from backend.flights.events import split_flight_id
from backend.flights.label import FINAL_AFTER, OUTCOMES, disrupted
from backend.store import sql

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]

BANDS = (30, 120, 360, 1440)  # minutes: the lead times that answers are counted at, each for those nearest to it
HEADLINE = 120
# A day is over everywhere 36 hours after it began in UTC, and the labels of its last flights are final 36 hours later.
COMPLETE_AFTER = 36 * HOUR + FINAL_AFTER
_BEFORE = DAY + 14 * HOUR  # an answer's as_of is so long before the UTC midnight of its flight's local day at most
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Answered:
    """Answers, each column of shape (n,): the local `day` number at the origin, the band's `lead` in minutes, when the
    flight departs by its schedule, `disrupted` (1, 0, or -1 where it is not final) and the `seq` of that outcome.
    `id` is the answer's in the log."""

    id: Ints
    day: Ints
    lead: Ints
    departure: Ints
    origin: Labels
    carrier: Labels
    version: Ints
    probability: Floats
    disrupted: Ints
    outcome_seq: Ints

    def __len__(self) -> int:
        return len(self.day)

    def take(self, rows: npt.NDArray[np.generic]) -> "Answered":
        """The answers at those positions, or where a mask is true."""
        return Answered(*(getattr(self, column.name)[rows] for column in fields(self)))


def complete_day(at: int) -> int:
    """The number of the newest day whose flights all have a final label at `at`."""
    return (at - COMPLETE_AFTER) // DAY


def day_number(text: str) -> int:
    """The number of a day YYYY-MM-DD since 1970."""
    return date.fromisoformat(text).toordinal() - _EPOCH


def day_name(number: int) -> str:
    """The day YYYY-MM-DD of that number."""
    return date.fromordinal(int(number) + _EPOCH).isoformat()


def earliest(day: int) -> int:
    """The moment before which no answer about a flight of that day number can have been given: its as_of, at least."""
    return day * DAY - _BEFORE


def read(connection: Connection, first_day: int, at: int) -> Answered:
    """The answers about flights from that day number on, given by `at` (epoch seconds), with the outcomes of then."""
    rows = _logged(connection, earliest(first_day), at)
    known = _outcomes(connection, earliest(first_day), at)
    identity, flight, as_of, departure, version, probability = zip(*rows, strict=True) if rows else ((),) * 6
    names, which = _numbered(flight)
    parts = [split_flight_id(name) for name in names]
    told = [known.get(name, (-1, 0)) for name in names]
    departs = np.array(departure, np.int64)
    label, seq = (np.array([outcome[place] for outcome in told], np.int64)[which] for place in (0, 1))
    is_final = departs + FINAL_AFTER <= at
    everything = Answered(
        id=np.array(identity, np.int64),
        day=np.array([day_number(part[0]) for part in parts], np.int64)[which],
        lead=np.zeros(len(rows), np.int64),
        departure=departs,
        origin=np.array([part[3] for part in parts], np.str_)[which],
        carrier=np.array([part[1] for part in parts], np.str_)[which],
        version=np.array(version, np.int64),
        probability=np.array(probability, np.float64),
        disrupted=np.where(is_final, label, -1),
        outcome_seq=np.where(is_final, seq, 0),
    )
    return _once(everything, which, (departs - np.array(as_of, np.int64)) / MINUTE, first_day)


def _numbered(names: tuple[str, ...]) -> tuple[list[str], Ints]:
    """The different names, and which of them each one is."""
    places: dict[str, int] = {}
    which = np.array([places.setdefault(name, len(places)) for name in names], np.int64)
    return list(places), which


def _once(said: Answered, flight: Ints, lead_minutes: Floats, first_day: int) -> Answered:
    """One answer for each flight and band: the one nearest to the band's lead time, the first of equals."""
    bands = np.array(BANDS)
    away = np.abs(lead_minutes[:, None] - bands)
    band = away.argmin(axis=1) if len(said) else np.zeros(0, np.int64)
    nearest = away[np.arange(len(said)), band]
    order = np.lexsort((said.id, nearest, band, flight))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(flight[order]) != 0) | (np.diff(band[order]) != 0)
    kept = np.sort(order[first])
    kept = kept[said.day[kept] >= first_day]
    found = said.take(kept)
    return Answered(**{**vars(found), "lead": bands[band[kept]].astype(np.int64)})


def _logged(connection: Connection, since: int, at: int) -> list[tuple[int, str, int, int, int, float]]:
    said = sql.predictions.c
    wanted = (said.as_of >= since, said.as_of <= at, said.past.is_(False), said.variant == "")
    columns = (said.id, said.flight, said.as_of, said.scheduled_departure, said.version, said.probability)
    return [tuple(row) for row in connection.execute(select(*columns).where(*wanted).order_by(said.id))]


def _outcomes(connection: Connection, since: int, at: int) -> dict[str, tuple[int, int]]:
    """By flight: whether it was disrupted by the word that was recorded last and known at `at`, and that word's seq."""
    said = sql.events.c
    wanted = (said.known_at > since, said.known_at <= at, said.kind.in_(tuple(OUTCOMES)))
    rows = connection.execute(
        select(said.subject, said.kind, said.delay_minutes, said.seq).where(*wanted).order_by(said.seq)
    )
    return {flight: (int(disrupted(kind, delay)), seq) for flight, kind, delay, seq in rows}
