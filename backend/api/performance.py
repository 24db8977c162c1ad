"""GET /performance: how good the logged answers were, by day and trailing window, once their outcomes are in."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend import clock
from backend.api import context, paging
from backend.api.auth import VIEWER, auth
from backend.store import performance
from backend.store.performance import Wanted

bp = APIBlueprint("performance", __name__, tag="Monitoring", url_prefix="/performance")

DAY = r"^\d{4}-\d{2}-\d{2}$"
Window = Literal["day", "7d", "28d"]
By = Literal["all", "origin", "carrier"]


class Expected(BaseModel):
    """What was to be expected of the answers before any outcome was in, were their probabilities right (CBPE)."""

    auc: float | None
    brier: float


class EstimateError(BaseModel):
    """By how much the expected figures of single days missed those that came: mean absolute difference."""

    auc: float | None
    brier: float | None


class Cost(BaseModel):
    """What 1,000 flights cost for who acts on each risk from `threshold` on, which is false_alarm / (false_alarm +
    miss), beside who acts never and who acts always. In the unit of the settings `costs` as they stood then."""

    false_alarm: float
    miss: float
    threshold: float
    per_1000: float
    never_acting: float
    always_acting: float


class Quality(BaseModel):
    """The verdict on the version that served then, by its own answers. `down` is null where it is too early to tell."""

    down: bool | None
    sentence: str
    version: int
    flights: int
    days: int
    margin: float
    trained_brier: float
    trained_auc: float | None
    brier: float | None = None
    brier_interval: tuple[float, float] | None = None
    auc: float | None = None
    auc_interval: tuple[float, float] | None = None


class Figures(BaseModel):
    """How good the answers about the flights of a window were. Scores are null before their outcomes are final."""

    id: str
    day: str = Field(description="the window's last day, local at the origin", examples=["2013-05-31"])
    window: Window
    lead_minutes: int = Field(description="answers are counted at the nearest of 30, 120, 360 and 1,440")
    by: By
    value: str = Field(description="the origin or carrier; empty for all flights")
    judged_at: str = Field(description="the data clock's time whose knowledge was used")
    complete: bool = Field(description="false: outcomes are still to come")
    flights: int = Field(description="whose outcome is known; before the window is complete, all")
    missing: int = Field(description="whose outcome is not known")
    small: bool = Field(description="fewer than 100 flights: the figures say little")
    days: int = Field(description="that have answers")
    versions: dict[str, int] = Field(description="how many of the answers each version gave")
    estimated: Expected
    estimate_error: EstimateError | None = None
    base_rate: float | None = None
    auc: float | None = None
    auc_interval: tuple[float, float] | None = Field(default=None, description="95 %, by resampling days")
    brier: float | None = None
    brier_interval: tuple[float, float] | None = None
    log_loss: float | None = None
    calibration_error: float | None = Field(default=None, description="mean distance of rates, ten equal groups")
    cost: Cost | None = None
    quality: Quality | None = Field(default=None, description="where the champion was judged by this window")


class Performance(BaseModel):
    """A page of figures."""

    items: list[Figures]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Paged):
    """Which figures."""

    window: Window | None = None
    lead_minutes: int | None = Field(default=None, ge=0, le=1440, description="30, 120, 360 or 1440")
    by: By | None = None
    value: str | None = Field(default=None, max_length=10, description="of that origin or carrier only")
    from_: str | None = Field(default=None, alias="from", pattern=DAY, description="windows that end then or later")
    until: str | None = Field(default=None, pattern=DAY, description="windows that end before that day")
    sort: Literal["day", "-day"] = paging.sort("-day")
    limit: int = paging.limit(most=1000)


def as_json(row: Any) -> dict[str, Any]:
    """A row of the store as the API shows it."""
    about = {"id": str(row.id), "day": row.day, "window": row.span, "lead_minutes": row.lead_minutes}
    about |= {"by": row.slice, "value": row.value, "judged_at": clock.iso(row.judged_at), "complete": row.complete}
    said: dict[str, Any] = row.said
    return said | about


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Performance)
def listing(query: Query) -> dict[str, Any]:
    """How good the answers were

    AUC, Brier score, calibration, cost and what was expected before, of the logged answers, by day and by trailing
    windows, at each lead time, and two hours before departure by origin and carrier.
    """
    wanted = Wanted(query.from_, query.until, query.window, query.lead_minutes, query.by, query.value)
    with context.get().engine.connect() as connection:
        rows, following = performance.listing(connection, query.page, wanted)
    return {"items": [as_json(row) for row in rows], "next": following}
