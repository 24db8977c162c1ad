"""The ledger: every training, verdict, promotion and rollback, with who or what asked. Rows are added, never changed.

The database refuses to change or delete a row of it (migration 0002). Kinds: trained, failed (a training that made no
version), compared (a verdict), promoted, rolled_back.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from backend.store import pages, sql
from backend.store.pages import Order, Page

table = sql.decisions.c
ORDER = Order("decisions", table.id, {"id": table.id})
VERSIONS = Order("models", table.id, {"version": table.id})  # versions are numbered in the order of their decisions


def decide(
    connection: Connection, kind: str, at: int, data_at: int | None, actor: str, summary: str, evidence: dict[str, Any]
) -> int:
    """Write one decision into the ledger, in the transaction of what it decides; returns its id.

    `at` is the wall clock's time, `data_at` the data clock's, both in epoch seconds.
    """
    values = {"kind": kind, "at": at, "data_at": data_at, "actor": actor, "summary": summary, "evidence": evidence}
    result = connection.execute(insert(sql.decisions).values(values).returning(table.id))
    return int(result.scalar_one())


def decisions(
    connection: Connection,
    kind: str | None,
    limit: int,
    before: int | None = None,
    since: int | None = None,
    until: int | None = None,
    clock: str = "at",
) -> Sequence[Row[Any]]:
    """Decisions of one kind, or of all, newest first: rows of sql.decisions.

    With an id below `before`; from `since` on and before `until` (epoch seconds) by the clock `at` or `data_at`.
    """
    statement = _of(kind, since, until, clock)
    if before is not None:
        statement = statement.where(table.id < before)
    return connection.execute(statement.order_by(table.id.desc()).limit(limit)).fetchall()


def listing(
    connection: Connection,
    page: Page,
    kind: str | None = None,
    since: int | None = None,
    until: int | None = None,
    clock: str = "at",
) -> tuple[Sequence[Row[Any]], str | None]:
    """A page of the same, and the cursor of the next. Raises CursorError."""
    return pages.cut(connection, _of(kind, since, until, clock), ORDER, page)


def trainings(connection: Connection, page: Page) -> tuple[Sequence[Row[Any]], str | None]:
    """A page of the decisions that made a version, and the cursor of the next. Raises CursorError."""
    return pages.cut(connection, _of("trained", None, None, "at"), VERSIONS, page)


def _of(kind: str | None, since: int | None, until: int | None, clock: str) -> Select[Any]:
    statement = select(sql.decisions)
    if kind is not None:
        statement = statement.where(table.kind == kind)
    if since is not None:
        statement = statement.where(table[clock] >= since)
    if until is not None:
        statement = statement.where(table[clock] < until)
    return statement


def one(connection: Connection, identity: int) -> Row[Any] | None:
    """The decision with that id, or None."""
    return connection.execute(select(sql.decisions).where(table.id == identity)).first()


def training_of(connection: Connection, version: int) -> dict[str, Any] | None:
    """What the ledger says of a version's training: its figures and lineage; None if it was never trained."""
    return _newest(connection, "trained", table.evidence["version"].as_integer() == version)


def training_by(connection: Connection, job: str) -> dict[str, Any] | None:
    """What the ledger says of the training that this job made, or None."""
    return _newest(connection, "trained", table.evidence["job"].as_string() == job)


def verdict_on(connection: Connection, version: int) -> dict[str, Any] | None:
    """How that version compared with the champion of its day, or None if it was not compared."""
    return _newest(connection, "compared", table.evidence["version"].as_integer() == version)


def newest_version(connection: Connection) -> int | None:
    """The version that was trained last, or None."""
    said = _newest(connection, "trained")
    return None if said is None else int(said["version"])


def _newest(connection: Connection, kind: str, *conditions: Any) -> dict[str, Any] | None:
    said = select(table.evidence).where(table.kind == kind, *conditions).order_by(table.id.desc()).limit(1)
    return connection.scalar(said)
