"""/policies: what back-tests said of retraining policies."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend import clock
from backend.api import context, paging
from backend.api.auth import VIEWER, auth
from backend.store import policies

bp = APIBlueprint("policies", __name__, tag="Policies", url_prefix="/policies")


class Figures(BaseModel):
    """How good answers were. The calibration error is of ten equally large groups."""

    flights: int
    base_rate: float
    auc: float | None
    brier: float
    calibration_error: float


class OfMonth(Figures):
    """Figures of flights asked about two hours before departure."""

    month: str = Field(examples=["2013-04"])


class OfLead(Figures):
    """Figures of all months."""

    lead_hours: float


class Mean(BaseModel):
    """The mean of the months' figures."""

    auc: float | None
    brier: float
    calibration_error: float


class Difference(BaseModel):
    """This policy's figure less the other's, and its 95 % interval; null where the period is too short for one."""

    difference: float
    low: float | None
    high: float | None


class Against(BaseModel):
    """By how much a policy differs from another, two hours before departure. A better AUC is higher, a better Brier
    score lower."""

    policy: str
    auc: Difference | None = None
    brier: Difference


class Stint(BaseModel):
    """From when on a model served, until the next: the newest flight that it had learned from, how many, and why."""

    since: str
    learned_until: str
    learned_from: int
    why: str


class Policy(BaseModel):
    """How a retraining policy did in a back-test."""

    id: str
    backtest: str = Field(description="the same for all policies that were replayed together")
    at: str = Field(description="when that was, by the clock on the wall")
    actor: str
    policy: str = Field(examples=["monthly", "window:90d", "evidence"])
    first: str = Field(description="the first month that was replayed", examples=["2013-04"])
    last: str = Field(description="the last month that was replayed", examples=["2013-12"])
    metrics: Figures = Field(description="two hours before departure, all months together")
    mean: Mean
    months: list[OfMonth]
    by_lead: list[OfLead]
    trainings: int
    promotions: int = Field(description="how often another model began to serve")
    cpu_seconds: float = Field(description="what its trainings took of one core, had it been alone")
    stints: list[Stint]
    against: list[Against]


class Policies(BaseModel):
    """A page of policies."""

    items: list[Policy]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Paged):
    """Which policies."""

    backtest: str | None = Field(default=None, max_length=36, description="of that back-test only")
    policy: str | None = Field(default=None, max_length=20, description="of that name only")
    sort: Literal["id", "-id"] = paging.sort("-id")
    limit: int = paging.limit(most=200)


def as_json(row: Any) -> dict[str, Any]:
    """A row of the store as the API shows it."""
    about = {"id": str(row.id), "backtest": row.backtest, "at": clock.iso(row.at), "actor": row.actor}
    said: dict[str, Any] = row.said
    return said | about | {"first": row.first, "last": row.last}


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Policies)
def listing(query: Query) -> dict[str, Any]:
    """Compare retraining policies

    What each policy would have cost and how good its answers would have been, as POST /backtests found, newest first.
    """
    with context.get().engine.connect() as connection:
        rows, following = policies.listing(connection, query.page, query.backtest, query.policy)
    return {"items": [as_json(row) for row in rows], "next": following}
