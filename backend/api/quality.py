"""GET /quality: how good what feeders told was, by day."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import AwareDatetime, BaseModel, Field

from backend import clock
from backend.api import context, schemas
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
    """A page of days, newest first. A day on which nothing was told is not there."""

    items: list[Day]
    next: str | None


class Page(schemas.Query):
    """Which days."""

    from_: AwareDatetime | None = Field(default=None, alias="from", description="days that begin then or later")
    until: AwareDatetime | None = Field(default=None, description="days that begin before then")
    limit: int = Field(default=50, ge=1, le=400)
    cursor: int | None = Field(default=None, ge=0, lt=2**63, description="the `next` of the page before")


@bp.get("/quality")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Page, location="query", arg_name="page")
@bp.output(Days)
def listing(page: Page) -> dict[str, Any]:
    """Data quality by day

    What feeders told that was refused, late, of an unknown carrier, or not there.
    """
    since, until = (None if time is None else clock.to_epoch(time) for time in (page.from_, page.until))
    before = min((end for end in (until, page.cursor) if end is not None), default=None)
    with context.get().engine.connect() as connection:
        days = quality.by_day(connection, since, before, page.limit + 1)
    shown = days[: page.limit]
    return {
        "items": [_as_json(day, counts) for day, counts in shown],
        "next": str(shown[-1][0]) if len(days) > page.limit else None,
    }


def _as_json(day: int, counts: dict[str, dict[str, int]]) -> dict[str, Any]:
    stored, repeated, refused = (sum(counts[what].values()) for what in ("stored", "repeated", "refused"))
    share = refused / max(1, stored + repeated + refused)
    return {**counts, "day": clock.iso(day), "repeated": repeated, "refused_share": share}
