"""/deployments: which version served from when until when, and by whose decision."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import AwareDatetime, BaseModel, Field

from backend import clock
from backend.api import context, schemas
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
    """A page of deployments, newest first."""

    items: list[Deployment]
    next: str | None


class Page(schemas.Query):
    """Which deployments."""

    at: AwareDatetime | None = Field(
        default=None,
        description="only the one that served at this moment; none before the first. A version whose bundle could not "
        "be loaded was stood in for by the one before it: each prediction names the version that made it.",
        examples=["2013-06-03T18:00:00Z"],
    )
    clock: Clock = Field(default="data", description=WHICH_CLOCK)
    limit: int = Field(default=50, ge=1, le=500)
    cursor: int | None = Field(default=None, ge=0, lt=2**63, description="the `next` of the page before")


def as_json(row: Any) -> dict[str, Any]:
    """A row of `deployments.periods` as the API shows it."""
    times = {name: clock.iso(getattr(row, name)) for name in ("since", "until", "data_since", "data_until")}
    decision = {"id": str(row.decision_id), "kind": row.kind, "actor": row.actor, "summary": row.summary}
    said = {"id": str(row.id), "version": str(row.version), "bundle_sha256": row.bundle_sha256}
    return said | times | {"decision": decision}


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Page, location="query", arg_name="page")
@bp.output(Deployments)
def listing(page: Page) -> dict[str, Any]:
    """What served when

    Every deployment, newest first; with `at`, the one that served at that moment.
    """
    with context.get().engine.connect() as connection:
        if page.at is not None:
            by = "data_since" if page.clock == "data" else "since"
            found = deployments.at(connection, clock.to_epoch(page.at), by)
            return {"items": [] if found is None else [as_json(found)], "next": None}
        rows = deployments.periods(connection, page.limit + 1, page.cursor)
    last = rows[page.limit - 1] if len(rows) > page.limit else None
    return {"items": [as_json(row) for row in rows[: page.limit]], "next": None if last is None else str(last.id)}
