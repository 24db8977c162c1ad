"""Which challengers may answer in the shadow: read from the ledger, so that every process agrees."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from backend.store import ledger, sql
from backend.store.deployments import Deployment
from backend.store.statements import Statement

_said = sql.decisions.c


class Shadow(NamedTuple):
    """A version that scores what the champion answers, for comparison only; `decision_id` is the verdict on it."""

    decision_id: int
    version: int
    bundle: str
    bundle_sha256: str


def state(connection: Connection) -> tuple[int | None, int | None]:
    """What changes whenever another version may have to answer or to run in the shadow."""
    deployment, verdict = _STATE.rows(connection)[0]
    return deployment, verdict


_STATE = Statement(
    select(
        select(func.max(sql.deployments.c.id)).scalar_subquery(),
        select(func.max(_said.id)).where(_said.kind == "compared").scalar_subquery(),
    )
)


def candidates(connection: Connection, champion: Deployment) -> list[Shadow]:
    """The versions that were compared and not promoted since that deployment, newest first."""
    evidence = select(_said.id, _said.evidence).where(_said.kind == "compared", _said.id > champion.decision_id)
    found = []
    for decision_id, said in connection.execute(evidence.order_by(_said.id.desc())).all():
        trained = ledger.training_of(connection, int(said["version"]))
        if said["verdict"] != "promote" and trained is not None:
            found.append(Shadow(decision_id, int(said["version"]), trained["bundle"], trained["bundle_sha256"]))
    return found
