"""GET /schedules: what is due when by the data clock, and what became of it."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend import clock, options
from backend.api import context, paging
from backend.api.auth import VIEWER, auth
from backend.monitoring import duties
from backend.options import Schedules
from backend.store import slots
from backend.store.slots import Slot

bp = APIBlueprint("schedules", __name__, tag="Monitoring")


class Run(BaseModel):
    """One time at which work was due."""

    at: str = Field(examples=["2013-04-02T08:00:00Z"], description="by the data clock")
    state: str = Field(examples=["done"], description="queued, done, failed, cancelled, declined or skipped")
    job: str | None


class Schedule(BaseModel):
    """One kind of work."""

    name: str = Field(examples=["performance"])
    cron: str = Field(examples=["0 4 * * *"], description="minute, hour, day, month, weekday; empty: never")
    time_zone: str = Field(examples=["America/New_York"])
    next: str | None = Field(examples=["2013-04-03T08:00:00Z"], description="when it is due next")
    last: Run | None = Field(description="the newest that is over or is being done")


class ListOfSchedules(BaseModel):
    """All schedules."""

    items: list[Schedule]
    next: None = Field(default=None, description=paging.NEXT)


@bp.get("/schedules")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(ListOfSchedules)
def listing() -> dict[str, Any]:
    """List schedules

    What is done when, by the data clock, when it is due next, and what became of it last. An admin changes them in
    `PUT /settings/schedules`. The list is whole.
    """
    here = context.get()
    how = options.of(here.documents, Schedules)
    with here.engine.connect() as connection:
        due, last = slots.unfinished(connection), slots.newest(connection)
    return {"items": [_shown(name, how, due, last.get(name)) for name in duties.KINDS], "next": None}


def _shown(name: str, how: Schedules, due: list[Slot], last: Slot | None) -> dict[str, Any]:
    ahead = min((each.slot for each in due if each.name == name and each.state != "queued"), default=None)
    run = None if last is None else {"at": clock.iso(last.slot), "state": last.state, "job": last.job}
    return {
        "name": name,
        "cron": getattr(how, name),
        "time_zone": how.time_zone,
        "next": clock.iso(ahead),
        "last": run,
    }
