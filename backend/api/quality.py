"""GET /quality: how good what feeders told was, by day."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend import clock
from backend.api import context, paging
from backend.api.auth import VIEWER, auth
from backend.store import quality

bp = APIBlueprint("quality", __name__, tag="Observations")

Counts = dict[str, int]


class Day(BaseModel):
    """What was counted at POST /observations on one day of the data clock, which begins at midnight UTC."""

    day: str = Field(examples=["2013-04-01T00:00:00Z"])
    stored: Counts = Field(description="events that were new, by kind", examples=[{"departed": 812, "weather": 72}])
    repeated: int = Field(description="events that were in the log already")
    refused: Counts = Field(description="events that were not stored, by the rule that they broke")
    refused_share: float = Field(description="of all events that were told")
    late: Counts = Field(description="new events that became known an hour before the data clock or more, by kind")
    unknown_carrier: Counts = Field(description="schedules of carriers that nobody had named before, by carrier")
    missing_weather: Counts = Field(description="hours of weather that were not there in time, by station")


class Days(BaseModel):
    """A page of days. A day on which nothing was told is not there."""

    items: list[Day]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Windowed):
    """Which days, by when they begin."""

    sort: Literal["day", "-day"] = paging.sort("-day")


@bp.get("/quality")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Days)
def listing(query: Query) -> dict[str, Any]:
    """Data quality by day

    What feeders told that was refused, late, of an unknown carrier, or not there.
    """
    with context.get().engine.connect() as connection:
        days, following = quality.by_day(connection, *query.window, query.page)
    return {"items": [_as_json(day, counts) for day, counts in days], "next": following}


def _as_json(day: int, counts: dict[str, dict[str, int]]) -> dict[str, Any]:
    stored, repeated, refused = (sum(counts[what].values()) for what in ("stored", "repeated", "refused"))
    share = refused / max(1, stored + repeated + refused)
    return {**counts, "day": clock.iso(day), "repeated": repeated, "refused_share": share}
