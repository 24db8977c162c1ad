"""The job queue: jobs wait in a table, a worker claims one for a while, and only its newest claim may write to it."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from backend.store import pages, sql
from backend.store.pages import Order, Page
from backend.store.statements import Statement

LEASE_SECONDS = 30  # how long a worker may say nothing before its job is somebody else's
MAXIMUM_ATTEMPTS = 3
UNFINISHED = ("queued", "running")
# A worker that freezes inside of a transaction would keep its job's row locked for ever, and nobody could take over.
FROZEN_SECONDS = 60
_LET_GO = text(f"SET LOCAL idle_in_transaction_session_timeout = '{FROZEN_SECONDS}s'")
table = sql.jobs
ORDER = Order("jobs", table.c.id, {"created_at": table.c.created_at})
NEWEST = Page("-created_at", 50)


class LostClaim(Exception):
    """The job was cancelled, or another worker has it: what this one does with it counts no more."""


def database_now(connection: Connection) -> int:
    """The database's clock in epoch seconds: the one clock that all workers share."""
    return int(_NOW[connection.dialect.name].scalar(connection))


_NOW = {
    "sqlite": Statement(text("SELECT CAST(strftime('%s', 'now') AS INTEGER)")),
    "postgresql": Statement(text("SELECT floor(extract(epoch FROM clock_timestamp()))")),
}


def enqueue(
    engine: Engine, kind: str, params: Mapping[str, Any], owner: str, now: int, dedupe_key: str | None = None
) -> dict[str, Any]:
    """A new queued job (its columns by name, times in epoch seconds).

    With a `dedupe_key` for which a job is queued or running, it is that job, and nothing is queued.
    """
    try:
        with sql.writing(engine) as connection:
            return add(connection, kind, params, owner, now, dedupe_key)
    except IntegrityError:  # PostgreSQL: another process queued it between our look and our insert
        return enqueue(engine, kind, params, owner, now, dedupe_key)


def add(
    connection: Connection,
    kind: str,
    params: Mapping[str, Any],
    owner: str,
    now: int,
    dedupe_key: str | None = None,
    identity: str | None = None,
) -> dict[str, Any]:
    """The same in the caller's write transaction, and with an id of the caller's (a new UUID) where it gives one."""
    found = None if dedupe_key is None else _unfinished(connection, dedupe_key)
    if found is not None:
        return found
    job = {
        "id": identity or str(uuid.uuid4()),
        "kind": kind,
        "params": dict(params),
        "state": "queued",
        "owner": owner,
        "created_at": now,
        "dedupe_key": dedupe_key,
    }
    connection.execute(insert(table).values(job))
    return _one(connection, str(job["id"]))


def get(engine: Engine, identity: str) -> dict[str, Any] | None:
    """The job with that id, or None."""
    with engine.connect() as connection:
        row = connection.execute(select(table).where(table.c.id == identity)).mappings().one_or_none()
    return None if row is None else dict(row)


def listing(
    engine: Engine,
    owner: str | None = None,
    page: Page = NEWEST,
    kind: str | None = None,
    state: str | None = None,
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of jobs of one owner, kind and state, or of all, and the cursor of the next. Raises CursorError."""
    query = select(table)
    for column, wanted in ((table.c.owner, owner), (table.c.kind, kind), (table.c.state, state)):
        if wanted is not None:
            query = query.where(column == wanted)
    with engine.connect() as connection:
        rows, following = pages.cut(connection, query, ORDER, page)
    return [row._asdict() for row in rows], following


def unfinished(connection: Connection, kind: str) -> list[str]:
    """The ids of the jobs of that kind that are queued or running."""
    rows = select(table.c.id).where(table.c.kind == kind, table.c.state.in_(UNFINISHED)).order_by(table.c.created_at)
    return list(connection.scalars(rows))


def count(engine: Engine, state: str) -> int:
    """How many jobs are in that state."""
    with engine.connect() as connection:
        return connection.execute(select(func.count()).where(table.c.state == state)).scalar_one()


def count_unfinished(engine: Engine, owner: str, kind: str) -> int:
    """How many jobs of that kind an account has queued or running."""
    mine = (table.c.owner == owner, table.c.kind == kind, table.c.state.in_(UNFINISHED))
    with engine.connect() as connection:
        return connection.execute(select(func.count()).where(*mine)).scalar_one()


class Waiting(NamedTuple):
    """How many jobs of a kind are in a state (queued or running), and when the first of them was queued."""

    kind: str
    state: str
    number: int
    first_at: int


def waiting(connection: Connection) -> list[Waiting]:
    """The jobs that have not ended, by kind and state."""
    said = select(table.c.kind, table.c.state, func.count(), func.min(table.c.created_at))
    said = said.where(table.c.state.in_(UNFINISHED)).group_by(table.c.kind, table.c.state)
    return [Waiting(*row) for row in connection.execute(said)]


def failed(connection: Connection, since: int) -> dict[str, int]:
    """How many of the jobs that were queued from `since` on (epoch seconds) have failed, by kind."""
    mine = (table.c.state == "failed", table.c.created_at >= since)
    said = select(table.c.kind, func.count()).where(*mine).group_by(table.c.kind)
    return {str(kind): int(number) for kind, number in connection.execute(said)}


def newest_result(connection: Connection, kind: str) -> dict[str, Any] | None:
    """What the job of that kind that was done last has found, or None."""
    mine = (table.c.kind == kind, table.c.state == "done")
    newest = select(table.c.result).where(*mine).order_by(table.c.ended_at.desc(), table.c.created_at.desc()).limit(1)
    found: dict[str, Any] | None = connection.scalar(newest)
    return found


def cancel(engine: Engine, identity: str, now: int) -> dict[str, Any] | None:
    """Ends a job that has not ended: its worker's next write is refused. Returns the job as it is then, or None."""
    with sql.writing(engine) as connection:
        connection.execute(
            update(table)
            .where(table.c.id == identity, table.c.state.in_(UNFINISHED))
            .values(state="cancelled", ended_at=now, lease_until=None, message="")
        )
        row = connection.execute(select(table).where(table.c.id == identity)).mappings().one_or_none()
    return None if row is None else dict(row)


@dataclass(frozen=True)
class Claim:
    """A worker's right to one job. Every method raises LostClaim once the right has gone."""

    engine: Engine
    id: str
    kind: str
    params: dict[str, Any]
    owner: str
    fence: int
    lease_seconds: int

    def check(self, connection: Connection) -> None:
        """To be called inside a write transaction of the job's own, so that it commits only while the claim holds."""
        self._change(connection, {"fence": self.fence})

    def renew(self) -> None:
        """Says that the worker lives."""
        self._write({})

    def progress(self, fraction: float, message: str) -> None:
        """How far the job is, 0 to 1, and what it does now."""
        self._write({"progress": min(1.0, max(0.0, fraction)), "message": message})

    def finish(self, result: dict[str, Any]) -> None:
        """The job is done; `result` is JSON."""
        self._end({"state": "done", "progress": 1.0, "message": "", "result": result})

    def fail(self, error: str) -> None:
        """The job has failed; `error` is a sentence for its owner."""
        self._end({"state": "failed", "error": error})

    def release(self) -> None:
        """Gives the job back unfinished, for the next worker; this attempt is not counted."""
        back = {"state": "queued", "lease_until": None, "progress": 0.0, "message": "", "started_at": None}
        with sql.writing(self.engine) as connection:
            self._change(connection, {**back, "attempts": table.c.attempts - 1, "fence": self.fence + 1})

    def _end(self, values: dict[str, Any]) -> None:
        with sql.writing(self.engine) as connection:
            self._change(connection, {**values, "lease_until": None, "ended_at": database_now(connection)})

    def _write(self, values: dict[str, Any]) -> None:
        with sql.writing(self.engine) as connection:
            self._change(connection, {**values, "lease_until": database_now(connection) + self.lease_seconds})

    def _change(self, connection: Connection, values: dict[str, Any]) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(_LET_GO)
        mine = (table.c.id == self.id, table.c.fence == self.fence, table.c.state == "running")
        if connection.execute(update(table).where(*mine).values(values)).rowcount == 0:
            raise LostClaim(f"job {self.id} was cancelled or has gone to another worker")


def claimable(engine: Engine, kinds: Collection[str]) -> bool:
    """Whether `claim` may find something: a look that takes no lock."""
    with engine.connect() as connection:
        expired = (table.c.state == "running") & (table.c.lease_until < database_now(connection))
        wanted = select(table.c.id).where(or_(table.c.state == "queued", expired), table.c.kind.in_(kinds)).limit(1)
        return connection.scalar(wanted) is not None


def claim(engine: Engine, kinds: Collection[str], lease_seconds: int = LEASE_SECONDS) -> Claim | None:
    """The oldest job that waits, or whose worker has said nothing for its lease; None where there is none.

    A job whose worker was lost three times is failed here, and not tried again.
    """
    with sql.writing(engine) as connection:
        now = database_now(connection)
        expired = (table.c.state == "running") & (table.c.lease_until < now)
        connection.execute(
            update(table)
            .where(expired, table.c.attempts >= MAXIMUM_ATTEMPTS)
            .values(
                state="failed",
                error=f"The worker died or froze {MAXIMUM_ATTEMPTS} times while it ran this job; its log may say why.",
                ended_at=now,
                lease_until=None,
            )
        )
        waiting = or_(table.c.state == "queued", expired)
        oldest = (
            select(table)
            .where(waiting, table.c.kind.in_(kinds))
            .order_by(table.c.created_at, table.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = connection.execute(oldest).one_or_none()
        if row is None:
            return None
        taken = {
            "state": "running",
            "fence": row.fence + 1,
            "attempts": row.attempts + 1,
            "lease_until": now + lease_seconds,
            "started_at": now if row.started_at is None else row.started_at,
        }
        connection.execute(update(table).where(table.c.id == row.id).values(taken))
    return Claim(engine, row.id, row.kind, dict(row.params), row.owner, row.fence + 1, lease_seconds)


def _unfinished(connection: Connection, dedupe_key: str) -> dict[str, Any] | None:
    same = (table.c.dedupe_key == dedupe_key, table.c.state.in_(UNFINISHED))
    row = connection.execute(select(table).where(*same)).mappings().one_or_none()
    return None if row is None else dict(row)


def _one(connection: Connection, identity: str) -> dict[str, Any]:
    return dict(connection.execute(select(table).where(table.c.id == identity)).mappings().one())
