"""What serves and what served, since when and why: the truth about what answers. Rows are added, never changed.

The newest row serves. A rollback is a new row too: it goes back to the version that served before, and what it left
behind is not gone back to any more. So a second rollback goes one version further back, as a second undo does, and
does not return to the model that the first one left.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, select, text

from backend.store import ledger, pages, sql
from backend.store.pages import Order, Page

table = sql.deployments.c
_LOCK = 7_310_002  # PostgreSQL advisory lock: what serves is read and changed by one at a time


class Deployment(NamedTuple):
    """A version that serves, or served, from `since` (epoch seconds) until the next row's."""

    id: int
    version: int
    bundle: str
    bundle_sha256: str
    since: int
    data_at: int | None
    decision_id: int


class Roles(NamedTuple):
    """The version that answers, the one that waits for its turn, and the one that a rollback goes to."""

    champion: int | None
    challenger: int | None
    previous: int | None

    def of(self, version: int) -> str | None:
        """What that version is: champion, challenger, previous, or None."""
        held = {self.previous: "previous", self.challenger: "challenger", self.champion: "champion"}
        return held.get(version)


def lock(connection: Connection) -> None:
    """Let nobody else change what serves until this write transaction ends."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def deploy(
    connection: Connection, version: int, bundle: str, sha256: str, since: int, data_at: int | None, decision_id: int
) -> None:
    """Let that version serve from now on."""
    values = {"version": version, "bundle": bundle, "bundle_sha256": sha256, "since": since, "data_at": data_at}
    connection.execute(insert(sql.deployments).values(**values, decision_id=decision_id))


def current(connection: Connection) -> Deployment | None:
    """The deployment that serves, or None before the first."""
    row = connection.execute(select(sql.deployments).order_by(table.id.desc()).limit(1)).first()
    return None if row is None else Deployment(*row)


def of_version(connection: Connection, version: int) -> Deployment | None:
    """The newest deployment of that version, or None if it never served."""
    newest = select(sql.deployments).where(table.version == version).order_by(table.id.desc()).limit(1)
    row = connection.execute(newest).first()
    return None if row is None else Deployment(*row)


def standing(connection: Connection, until_id: int | None = None) -> list[Deployment]:
    """The deployments that no rollback has undone, oldest first; with `until_id`, as it was when that one was new.

    The last one serves, and a rollback goes to the version of the one before it.
    """
    rolled_back = sql.decisions.c.kind == "rolled_back"
    said = select(sql.deployments, rolled_back.label("back")).outerjoin(
        sql.decisions, sql.decisions.c.id == table.decision_id
    )
    if until_id is not None:
        said = said.where(table.id <= until_id)
    stack: list[Deployment] = []
    for *columns, back in connection.execute(said.order_by(table.id)):
        deployment = Deployment(*columns)
        if back:
            del stack[-2:]  # the one that was left, and the older row of the one that serves again
        stack.append(deployment)
    return stack


def before(connection: Connection, deployment_id: int) -> Deployment | None:
    """The deployment that a rollback from that one goes to, or None."""
    stack = standing(connection, deployment_id)
    return stack[-2] if len(stack) > 1 else None


def roles(connection: Connection, answering: int | None) -> Roles:
    """Which version is what, where `answering` is the one that answers: the newest deployment that can be loaded.

    The challenger is the version that was trained last, if it has never served.
    """
    stack = standing(connection)
    while stack and stack[-1].version != answering:
        stack.pop()
    newest = ledger.newest_version(connection)
    waits = newest is not None and not has_served(connection, newest)
    return Roles(answering, newest if waits else None, stack[-2].version if len(stack) > 1 else None)


def has_served(connection: Connection, version: int) -> bool:
    """Whether that version serves or ever did."""
    return bool(connection.scalar(select(func.count()).where(table.version == version)))


def periods(connection: Connection, limit: int, before: int | None = None) -> Sequence[Row[Any]]:
    """Deployments with an id below `before`, newest first: what served from when until when, by which decision.

    Columns: id, version, bundle_sha256, since, until, data_since, data_until (epoch seconds; None where it goes on),
    decision_id, kind, actor, summary.
    """
    said = _periods()
    if before is not None:
        said = said.where(_period.c.id < before)
    return connection.execute(said.order_by(_period.c.id.desc()).limit(limit)).fetchall()


def listing(connection: Connection, page: Page) -> tuple[Sequence[Row[Any]], str | None]:
    """A page of the same, and the cursor of the next. Raises CursorError."""
    return pages.cut(connection, _periods(), ORDER, page)


def at(connection: Connection, moment: int, clock: str) -> Row[Any] | None:
    """The period that held at a moment (epoch seconds) by the clock `since` (the wall's) or `data_since` (the data's).

    None before the first. The newest of those that began by then, so that clocks that stand still mislead nobody.
    """
    said = _periods().where(_period.c[clock] <= moment)
    return connection.execute(said.order_by(_period.c.id.desc()).limit(1)).first()


_period = select(
    table.id,
    table.version,
    table.bundle_sha256,
    table.since,
    func.lead(table.since).over(order_by=table.id).label("until"),
    table.data_at.label("data_since"),
    func.lead(table.data_at).over(order_by=table.id).label("data_until"),
    table.decision_id,
).subquery()
ORDER = Order("deployments", _period.c.id, {"id": _period.c.id})


def _periods() -> Any:
    said = sql.decisions.c
    return select(_period, said.kind, said.actor, said.summary).outerjoin(
        sql.decisions, said.id == _period.c.decision_id
    )
