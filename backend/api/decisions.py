"""/decisions: the ledger of what was trained, judged, promoted and rolled back, by whom and on what evidence."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend import clock
from backend.api import context, paging
from backend.api.auth import VIEWER, auth
from backend.api.deployments import WHICH_CLOCK, Clock
from backend.api.errors import Problem
from backend.store import ledger

bp = APIBlueprint("decisions", __name__, tag="Models", url_prefix="/decisions")

# Long parts of a training's evidence that GET /models/{version} shows.
CURVES = ("roc", "calibration", "slices")


class Decision(BaseModel):
    """A decision. It never changes."""

    id: str
    kind: str = Field(examples=["trained", "failed", "compared", "promoted", "rolled_back"])
    at: str = Field(description="by the clock on the wall")
    data_at: str | None = Field(description="by the data clock")
    actor: str = Field(description="the account, or the schedule, that asked")
    summary: str = Field(description="one sentence")
    evidence: dict[str, Any] = Field(description="the numbers, and what they were made from")


class Decisions(BaseModel):
    """A page of decisions."""

    items: list[Decision]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Windowed):
    """Which decisions."""

    kind: str | None = Field(default=None, max_length=20, description="trained, failed, compared, promoted, …")
    clock: Clock = Field(default="data", description=WHICH_CLOCK)
    sort: Literal["id", "-id"] = paging.sort("-id")
    limit: int = paging.limit(most=200)


def as_json(row: Any) -> dict[str, Any]:
    """A row of the ledger as the API shows it."""
    said = {"id": str(row.id), "kind": row.kind, "actor": row.actor, "summary": row.summary, "evidence": row.evidence}
    return said | {"at": clock.iso(row.at), "data_at": clock.iso(row.data_at)}


def _short(row: Any) -> dict[str, Any]:
    said = as_json(row)
    return said | {"evidence": {name: part for name, part in said["evidence"].items() if name not in CURVES}}


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Decisions)
def listing(query: Query) -> dict[str, Any]:
    """Read the ledger

    Every training, verdict, promotion and rollback, newest first, with its evidence. The curves and slices of a
    training are left out here: GET /decisions/{id} has them.
    """
    by = "data_at" if query.clock == "data" else "at"
    with context.get().engine.connect() as connection:
        rows, following = ledger.listing(connection, query.page, query.kind, *query.window, by)
    return {"items": [_short(row) for row in rows], "next": following}


@bp.get("/<int:identity>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(Decision)
def get(identity: int) -> dict[str, Any]:
    """One decision

    With all of its evidence: for a training its curves and slices too.
    """
    with context.get().engine.connect() as connection:
        found = ledger.one(connection, identity) if identity < 2**63 else None
    if found is None:
        raise Problem(404, "No such decision", "The ledger has no decision with this id: GET /decisions lists them.")
    return as_json(found)
