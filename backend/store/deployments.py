"""What serves, since when and why: the ledger of decisions, and deployments, which are the truth about what answers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from backend.store import sql


class Deployment(NamedTuple):
    """A version that serves, or served, from `since` (epoch seconds) until the next row's."""

    id: int
    version: int
    bundle: str
    bundle_sha256: str
    since: int
    data_at: int | None
    decision_id: int


def decide(
    connection: Connection, kind: str, at: int, data_at: int | None, actor: str, summary: str, evidence: dict[str, Any]
) -> int:
    """Write one decision into the ledger, in the transaction of what it decides; returns its id."""
    values = {"kind": kind, "at": at, "data_at": data_at, "actor": actor, "summary": summary, "evidence": evidence}
    result = connection.execute(insert(sql.decisions).values(values).returning(sql.decisions.c.id))
    return int(result.scalar_one())


def deploy(
    connection: Connection, version: int, bundle: str, sha256: str, since: int, data_at: int | None, decision_id: int
) -> None:
    """Let that version serve from now on."""
    values = {"version": version, "bundle": bundle, "bundle_sha256": sha256, "since": since, "data_at": data_at}
    connection.execute(insert(sql.deployments).values(**values, decision_id=decision_id))


def current(connection: Connection) -> Deployment | None:
    """The deployment that serves, or None before the first."""
    row = connection.execute(select(sql.deployments).order_by(sql.deployments.c.id.desc()).limit(1)).first()
    return None if row is None else Deployment(*row)


def before(connection: Connection, deployment_id: int) -> Deployment | None:
    """The deployment that served before that one, or None."""
    table = sql.deployments
    older = select(table).where(table.c.id < deployment_id).order_by(table.c.id.desc()).limit(1)
    row = connection.execute(older).first()
    return None if row is None else Deployment(*row)


def decisions(connection: Connection, kind: str, limit: int, before: int | None = None) -> Sequence[Any]:
    """Decisions of one kind with an id below `before`, newest first: rows of sql.decisions."""
    statement = select(sql.decisions).where(sql.decisions.c.kind == kind)
    if before is not None:
        statement = statement.where(sql.decisions.c.id < before)
    return connection.execute(statement.order_by(sql.decisions.c.id.desc()).limit(limit)).fetchall()


def training_of(connection: Connection, version: int) -> dict[str, Any] | None:
    """What the ledger says of a version's training: its figures and lineage; None if it was never trained."""
    table = sql.decisions.c
    said = select(table.evidence).where(table.kind == "trained", table.evidence["version"].as_integer() == version)
    return connection.scalar(said)
