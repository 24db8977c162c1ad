"""What the API says of a trained version: its figures, its lineage and how it compared."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from backend.store import ledger
from backend.store.deployments import Roles

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
# What versions that an older program trained do not say.
SAID_SINCE = ("fitted_until", "seq", "seed", "parameters", "libraries", "slices")


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


class Slice(BaseModel):
    """The figures of one lead time, or two hours before departure of one origin, carrier or month of departure."""

    by: Literal["lead_hours", "origin", "carrier", "month"]
    value: str
    flights: int
    base_rate: float
    auc: float | None
    auc_interval: tuple[float, float] | None = Field(description="95 %, by resampling days; null for too few days")
    brier: float
    brier_interval: tuple[float, float] | None
    calibration_error: float


class Comparison(BaseModel):
    """How it compared with the champion of its day, on flights that neither had learned from."""

    champion: str
    verdict: Literal["promote", "keep", "not_enough_evidence"]
    sentence: str
    numbers: dict[str, Any]
    window: dict[str, Any]
    overtaken_by: str | None = Field(description="who became champion while it was compared, so that nothing followed")


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
    fitted_until: str | None = Field(description="scheduled departure of the last flight that it has learned from")
    seq: int | None = Field(description="the newest fact that had been recorded")
    seed: int | None
    parameters: dict[str, Any] | None
    libraries: dict[str, str] | None
    slices: list[Slice] | None
    comparison: Comparison | None = Field(description="null for the first version")


def as_json(connection: Connection, evidence: dict[str, Any], held: Roles) -> dict[str, Any]:
    """A version as the API shows it, from the evidence of its training."""
    version = evidence["version"]
    said = {"version": str(version), "role": held.of(version)} | {name: evidence[name] for name in SHOWN}
    said |= {name: evidence.get(name) for name in SAID_SINCE}
    return said | {"comparison": _comparison(ledger.verdict_on(connection, version))}


def _comparison(said: dict[str, Any] | None) -> dict[str, Any] | None:
    if said is None:
        return None
    overtaken_by = said.get("overtaken_by")
    shown = {name: said[name] for name in ("verdict", "sentence", "numbers", "window")}
    return shown | {
        "champion": str(said["champion"]),
        "overtaken_by": None if overtaken_by is None else str(overtaken_by),
    }
