"""/models: the versions that were trained, with their figures and lineage, from the ledger."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from backend.api import context, schemas
from backend.api.auth import VIEWER, auth
from backend.api.errors import Problem
from backend.store import deployments

bp = APIBlueprint("models", __name__, tag="Models", url_prefix="/models")

SHOWN = (
    "trained_at",
    "data_from",
    "data_until",
    "flights",
    "rows",
    "metrics",
    "baseline",
    "base_rate",
    "evaluated_on",
    "data_digest",
    "commit",
    "feature_list",
    "duration_seconds",
    "by_lead",
    "calibration",
    "roc",
)


class Metrics(BaseModel):
    """Figures on the held-out window, two hours before departure. `auc` is null where all flights ended alike."""

    auc: float | None
    brier: float
    log_loss: float
    calibration_error: float = Field(description="mean distance of predicted and observed rates, ten equal groups")


class LeadMetrics(Metrics):
    """The same at one lead time."""

    lead_hours: float


class Bin(BaseModel):
    """A tenth of the flights, by probability."""

    predicted: float
    observed: float
    flights: int


class RocPoint(BaseModel):
    """One point of the ROC curve."""

    false_positive: float
    true_positive: float


class Window(BaseModel):
    """The flights that the figures are of, which the fit had not seen."""

    model_config = ConfigDict(populate_by_name=True)

    from_: str = Field(alias="from")
    until: str
    flights: int
    lead_hours: float


class Version(BaseModel):
    """A trained version."""

    version: str
    role: str | None = Field(description="champion for the version that answers")
    trained_at: str
    data_from: str
    data_until: str
    flights: int
    rows: int
    metrics: Metrics
    baseline: Metrics = Field(description="of a logistic regression on the schedule alone")
    base_rate: float
    evaluated_on: Window
    data_digest: str
    commit: str
    feature_list: str
    duration_seconds: float
    by_lead: list[LeadMetrics]
    calibration: list[Bin]
    roc: list[RocPoint]


class Versions(BaseModel):
    """A page of versions, newest first."""

    items: list[Version]
    next: str | None


class Page(schemas.Query):
    """Which page."""

    limit: int = Field(default=20, ge=1, le=100)
    cursor: int | None = Field(default=None, ge=0, lt=2**63, description="the `next` of the page before")


def as_json(evidence: dict[str, Any], champion: int | None) -> dict[str, Any]:
    """A version as the API shows it, from the evidence of its training."""
    role = "champion" if evidence["version"] == champion else None
    return {"version": str(evidence["version"]), "role": role} | {name: evidence[name] for name in SHOWN}


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Page, location="query", arg_name="page")
@bp.output(Versions)
def listing(page: Page) -> dict[str, Any]:
    """List versions

    Every version that was trained, newest first, with its figures beside the baseline's.
    """
    with context.get().engine.connect() as connection:
        serving = deployments.current(connection)
        rows = deployments.decisions(connection, "trained", page.limit + 1, page.cursor)
    champion = None if serving is None else serving.version
    items = [as_json(row.evidence, champion) for row in rows[: page.limit]]
    return {"items": items, "next": str(rows[page.limit - 1].id) if len(rows) > page.limit else None}


@bp.get("/<version>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(Version)
def get(version: str) -> dict[str, Any]:
    """One version"""
    with context.get().engine.connect() as connection:
        serving = deployments.current(connection)
        is_number = version.isascii() and version.isdecimal() and len(version) < 10
        found = deployments.training_of(connection, int(version)) if is_number else None
    if found is None:
        raise Problem(404, "No such version", "No version with this number was trained: GET /models lists them.")
    return as_json(found, None if serving is None else serving.version)
