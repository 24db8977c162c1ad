"""/models: the versions that were trained, with their figures and lineage, from the ledger."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from backend.api import context, schemas
from backend.api.auth import VIEWER, auth
from backend.api.errors import Problem
from backend.model.serving import NoChampionError
from backend.store import deployments, ledger
from backend.store.deployments import Roles

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
    role: Literal["champion", "challenger", "previous"] | None = Field(
        description="champion: the version that answers. challenger: the one that was trained last, if it never "
        "served. previous: the one that a rollback goes to."
    )
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


def roles(connection: Connection) -> Roles:
    """Which version is what. The champion is the one that answers, even while a newer one cannot be loaded."""
    try:
        answering = context.get().serving.champion(connection)[0].version
    except NoChampionError:
        answering = None
    return deployments.roles(connection, answering)


def trained(connection: Connection, version: str) -> dict[str, Any]:
    """What the training of that version said. Raises Problem 404."""
    is_number = version.isascii() and version.isdecimal() and len(version) < 10
    found = ledger.training_of(connection, int(version)) if is_number else None
    if found is None:
        raise Problem(404, "No such version", "No version with this number was trained: GET /models lists them.")
    return found


def as_json(evidence: dict[str, Any], held: Roles) -> dict[str, Any]:
    """A version as the API shows it, from the evidence of its training."""
    said = {"version": str(evidence["version"]), "role": held.of(evidence["version"])}
    return said | {name: evidence[name] for name in SHOWN}


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Page, location="query", arg_name="page")
@bp.output(Versions)
def listing(page: Page) -> dict[str, Any]:
    """List versions

    Every version that was trained, newest first, with its figures beside the baseline's.
    """
    with context.get().engine.connect() as connection:
        held = roles(connection)
        rows = ledger.decisions(connection, "trained", page.limit + 1, page.cursor)
    items = [as_json(row.evidence, held) for row in rows[: page.limit]]
    return {"items": items, "next": str(rows[page.limit - 1].id) if len(rows) > page.limit else None}


@bp.get("/<version>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(Version)
def get(version: str) -> dict[str, Any]:
    """One version"""
    with context.get().engine.connect() as connection:
        return as_json(trained(connection, version), roles(connection))
