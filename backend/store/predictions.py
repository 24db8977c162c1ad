"""The log of predictions: every answer with what it was made from, written before it is given.

The same question (account, flight, as_of) is one row, and its first answer is the answer.
"""

import operator
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from backend.store import pages, sql
from backend.store.pages import Order, Page
from backend.store.statements import Statement

Floats = npt.NDArray[np.float64]
Key = tuple[str, str]  # a question of one account at one as_of: (flight, variant)

# Of the values of real flights level 1 leaves 59 %, in half the time of level 6, which leaves 57 %.
_COMPRESSION = 1


class Logged(NamedTuple):
    """A prediction as it was answered: the columns of sql.predictions without its features."""

    flight: str
    variant: str
    dest: str
    scheduled_departure: int
    scheduled_arrival: int | None
    seq: int
    version: int
    probability: float
    base_rate: float
    shadow_version: int | None
    shadow_probability: float | None

    @property
    def key(self) -> Key:
        """Which question it answers."""
        return self.flight, self.variant


class Asking(NamedTuple):
    """Which account asked, when, as of when (epoch seconds), and whether that was before the data clock even then."""

    account: str
    asked_at: int
    as_of: int
    past: bool


_ASKED = (
    sql.predictions.c.account == bindparam("account"),
    sql.predictions.c.as_of == bindparam("as_of"),
    sql.predictions.c.flight.in_(bindparam("flights", expanding=True)),
)
_OF_FLIGHTS = Statement(select(*(sql.predictions.c[name] for name in Logged._fields)).where(*_ASKED))
_SAID: dict[str, Any] = {column.name: bindparam(column.name) for column in sql.predictions.c if column.name != "id"}
_INSERT = {
    name: Statement(dialect.insert(sql.predictions).values(_SAID).on_conflict_do_nothing().inline())
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_FEATURES_OF_FLIGHTS = select(
    *(sql.predictions.c[name] for name in ("flight", "variant", "feature_list", "features"))
).where(*_ASKED)


def find(connection: Connection, account: str, as_of: int, keys: Iterable[Key]) -> dict[Key, Logged]:
    """The answers that this account was given about those flights at that as_of, where it was."""
    wanted = set(keys)
    values = {"account": account, "as_of": as_of, "flights": list({flight for flight, _ in wanted})}
    found = (Logged(*row) for row in _OF_FLIGHTS.rows(connection, values))
    return {logged.key: logged for logged in found if logged.key in wanted}


def features_of(connection: Connection, account: str, as_of: int, keys: Iterable[Key]) -> dict[Key, tuple[str, bytes]]:
    """What those answers were made from, for the questions that have one: (feature list, features as stored)."""
    wanted = set(keys)
    values = {"account": account, "as_of": as_of, "flights": list({flight for flight, _ in wanted})}
    rows = connection.execute(_FEATURES_OF_FLIGHTS, values).all()
    found = {(flight, variant): (feature_list, packed) for flight, variant, feature_list, packed in rows}
    return {key: found[key] for key in wanted & found.keys()}


class MadeFrom(NamedTuple):
    """What an answer was made from: a flight's plan as it was asked about, what was known, and the features, (f,)."""

    id: int
    flight: str
    as_of: int
    seq: int
    dest: str
    scheduled_departure: int
    scheduled_arrival: int | None
    features: Floats


def made_with(connection: Connection, feature_list: str, since: int, until: int) -> tuple[list[int], int]:
    """The ids of answers with `since < as_of <= until` that were made with that feature list, in order; and how many
    were made with another."""
    said = sql.predictions.c
    query = select(said.id, said.feature_list).where(said.as_of > since, said.as_of <= until).order_by(said.id)
    rows = connection.execute(query).all()
    mine = [identity for identity, made in rows if made == feature_list]
    return mine, len(rows) - len(mine)


def made_from(connection: Connection, ids: Sequence[int]) -> Iterator[MadeFrom]:
    """What those answers were made from, by id."""
    columns = [sql.predictions.c[name] for name in MadeFrom._fields]
    for start in range(0, len(ids), _READ_AT_ONCE):
        some = sorted(ids)[start : start + _READ_AT_ONCE]
        query = select(*columns).where(sql.predictions.c.id.in_(some)).order_by(sql.predictions.c.id)
        for row in connection.execute(query):
            yield MadeFrom(*row)._replace(features=unpack(row.features))


_READ_AT_ONCE = 1000  # SQLite takes 32,766 parameters
_answers = sql.predictions.c
ORDER = Order("predictions", _answers.id, {"id": _answers.id, "as_of": _answers.as_of})


class Wanted(NamedTuple):
    """Which logged answers: `as_of` from `since` on and before `until`, of one version, about one flight; None where
    any will do."""

    since: int | None = None
    until: int | None = None
    version: int | None = None
    flight: str | None = None


def listing(connection: Connection, wanted: Wanted, page: Page) -> tuple[list[dict[str, Any]], str | None]:
    """A page of logged answers without their features, each with what is known of its flight's outcome, and the cursor
    of the next. Raises CursorError."""
    answers, flights = sql.predictions.c, sql.flights.c
    said = [column for column in answers if column is not answers.features]
    ends = [flights[name] for name in ("arrived_at", "arrival_delay_minutes", "cancelled_at", "diverted_at")]
    query = select(*said, *ends).select_from(
        sql.predictions.outerjoin(sql.flights, answers.flight == flights.id)  # one that was asked about may be unknown
    )
    for column, compare, value in (
        (answers.as_of, operator.ge, wanted.since),
        (answers.as_of, operator.lt, wanted.until),
        (answers.version, operator.eq, wanted.version),
        (answers.flight, operator.eq, wanted.flight),
    ):
        if value is not None:
            query = query.where(compare(column, value))
    rows, following = pages.cut(connection, query, ORDER, page)
    return [row._asdict() for row in rows], following


def log(
    connection: Connection, asking: Asking, answers: Sequence[Logged], rows: Floats, feature_list: str
) -> dict[Key, Logged]:
    """Write answers to different questions, with the features of shape (n, f) that each was made from.

    Returns what is to be answered: for a question that another process has answered since, that first answer. Inside
    the caller's write transaction, whose commit must come before the answer.
    """
    shared = asking._asdict() | {"feature_list": feature_list}
    values = [shared | answer._asdict() | {"features": pack(row)} for answer, row in zip(answers, rows, strict=True)]
    # In one order everywhere, so that two transactions with the same questions do not wait for each other.
    values.sort(key=lambda row: (row["flight"], row["variant"]))
    written = _INSERT[connection.dialect.name].change(connection, values)
    logged = {answer.key: answer for answer in answers}
    if written != len(answers):
        logged |= find(connection, asking.account, asking.as_of, logged)
    return logged


def pack(features: Floats) -> bytes:
    """Features of one flight, shape (f,), as they are stored: little-endian float64, deflated. Nothing is rounded."""
    return zlib.compress(features.astype("<f8").tobytes(), _COMPRESSION)


def unpack(packed: bytes) -> Floats:
    """What `pack` packed: shape (f,), equal to the last bit."""
    return np.frombuffer(zlib.decompress(packed), "<f8").astype(np.float64)
