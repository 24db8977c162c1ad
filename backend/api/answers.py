"""GET /predictions: what was answered, to whom and by which version, beside what happened."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from apiflask import APIBlueprint
from flask import Response
from pydantic import BaseModel, Field

from backend import clock
from backend.api import context, paging, schemas
from backend.api.auth import ANALYST, auth
from backend.api.flight import Band, Outcomes, outcome_of
from backend.flights.label import disrupted
from backend.model import scoring
from backend.store import predictions
from backend.store.predictions import Wanted

bp = APIBlueprint("answers", __name__, tag="Predictions")


class Answered(BaseModel):
    """A prediction that was given, and the outcome where it is known."""

    id: str
    flight: str = Field(examples=["2013-04-01.UA.1545.EWR"])
    dest: str
    scheduled_departure: str
    as_of: str
    lead_time_minutes: int
    asked_at: str = Field(description="by the wall clock")
    past: bool = Field(description="asked about a moment before the data clock: kept out of the figures")
    account: str = Field(description="the account's id")
    model_version: str
    probability: float
    band: Band
    seq: int
    shadow_version: str | None = Field(description="the challenger that was asked too, and not answered by")
    shadow_probability: float | None
    outcome: Outcomes | None = Field(description="null while it is not known")
    arrival_delay_minutes: int | None
    disrupted: bool | None


class Query(paging.Windowed):
    """Which predictions."""

    from_: schemas.Moment | None = Field(default=None, alias="from", description="as_of from then on")
    until: schemas.Moment | None = Field(default=None, description="as_of before then")
    version: int | None = Field(default=None, ge=1, lt=10**9, description="that gave the answer")
    flight: str | None = Field(default=None, max_length=40, description="the flight's id")
    format: Literal["json", "csv"] = Field(default="json", description="csv: the page's rows under a header")
    sort: Literal["id", "-id", "as_of", "-as_of"] = paging.sort("-id")
    limit: int = paging.limit(most=10_000)


class Answers(BaseModel):
    """A page of predictions."""

    items: list[Answered]
    next: str | None = Field(description=paging.NEXT)


AS_CSV: dict[int | str, Any] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}, "example": ",".join(Answered.model_fields) + "\n"}},
        "headers": {
            "X-Next-Cursor": {"description": "of CSV: the cursor of the next page", "schema": {"type": "string"}}
        },
    }
}


@bp.get("/predictions")
@bp.auth_required(auth, roles=ANALYST)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Answers)
@bp.doc(responses=AS_CSV)
def listing(query: Query) -> dict[str, Any] | Response:
    """List predictions

    Every answer that was given, newest first, with the outcome where it is known. As CSV the cursor of the next page
    stands in the header `X-Next-Cursor`.
    """
    wanted = Wanted(*query.window, query.version, query.flight)
    with context.get().engine.connect() as connection:
        rows, following = predictions.listing(connection, wanted, query.page)
    items = [_as_json(row) for row in rows]
    if query.format == "json":
        return {"items": items, "next": following}
    answer = Response(_csv(items), mimetype="text/csv")
    if following is not None:
        answer.headers["X-Next-Cursor"] = following
    return answer


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    outcome = outcome_of(row)
    shadow = row["shadow_version"]
    return {
        **{name: row[name] for name in ("flight", "dest", "past", "account", "probability", "seq")},
        **{name: row[name] for name in ("shadow_probability", "arrival_delay_minutes")},
        **{name: clock.iso(row[name]) for name in ("scheduled_departure", "as_of", "asked_at")},
        "id": str(row["id"]),
        "lead_time_minutes": (row["scheduled_departure"] - row["as_of"]) // clock.MINUTE,
        "model_version": str(row["version"]),
        "band": scoring.band(row["probability"]),
        "shadow_version": None if shadow is None else str(shadow),
        "outcome": outcome,
        "disrupted": None if outcome is None else disrupted(outcome, row["arrival_delay_minutes"]),
    }


def _csv(items: Iterable[dict[str, Any]]) -> str:
    """No cell begins a formula: ids begin with a date or are hexadecimal, the rest are numbers, times and words."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(Answered.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(items)
    return out.getvalue()
