"""/deployments: which version served from when until when, and by whose decision."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend import clock
from backend.api import context, paging, schemas
from backend.api.auth import VIEWER, auth
from backend.store import deployments

bp = APIBlueprint("deployments", __name__, tag="Models", url_prefix="/deployments")

Clock = Literal["data", "wall"]
WHICH_CLOCK = (
    "by which clock: that of the data, which is what counts in a replay of the past, or that on the wall. Live, both "
    "are the same."
)


class By(BaseModel):
    """The decision that made it serve."""

    id: str
    kind: str = Field(examples=["promoted", "rolled_back"])
    actor: str = Field(description="the account, or the schedule, that asked")
    summary: str


class Deployment(BaseModel):
    """A version and how long it served. `until` is null for the one that serves now."""

    id: str
    version: str
    since: str
    until: str | None
    data_since: str | None = Field(description="the same by the data clock")
    data_until: str | None
    bundle_sha256: str
    decision: By


class Deployments(BaseModel):
    """A page of deployments."""

    items: list[Deployment]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Paged):
    """Which deployments."""

    at: schemas.Moment | None = Field(
        default=None,
        description="only the one that served at this moment; none before the first. A version whose bundle could not "
        "be loaded was stood in for by the one before it: each prediction names the version that made it.",
        examples=["2013-06-03T18:00:00Z"],
    )
    clock: Clock = Field(default="data", description=WHICH_CLOCK)
    sort: Literal["id", "-id"] = paging.sort("-id")


def as_json(row: Any) -> dict[str, Any]:
    """A row of `deployments.periods` as the API shows it."""
    times = {name: clock.iso(getattr(row, name)) for name in ("since", "until", "data_since", "data_until")}
    decision = {"id": str(row.decision_id), "kind": row.kind, "actor": row.actor, "summary": row.summary}
    said = {"id": str(row.id), "version": str(row.version), "bundle_sha256": row.bundle_sha256}
    return said | times | {"decision": decision}


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Deployments)
def listing(query: Query) -> dict[str, Any]:
    """What served when

    Every deployment, newest first; with `at`, the one that served at that moment.
    """
    with context.get().engine.connect() as connection:
        if query.at is not None:
            by = "data_since" if query.clock == "data" else "since"
            found = deployments.at(connection, clock.to_epoch(query.at), by)
            return {"items": [] if found is None else [as_json(found)], "next": None}
        rows, following = deployments.listing(connection, query.page)
    return {"items": [as_json(row) for row in rows], "next": following}
