"""POST /observations: what a feed saw, and how far the data clock may go."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import AwareDatetime, BaseModel, Field

from backend import clock
from backend.api import context, schemas
from backend.api.auth import FEEDER, auth
from backend.api.errors import Problem
from backend.flights import observed
from backend.flights.events import Event, split_flight_id
from backend.flights.observed import Refusal
from backend.store import events as log
from backend.store import schedules, sql

bp = APIBlueprint("observations", __name__, tag="Observations")

MOST_EVENTS = 5000
LONGEST_STEP = clock.DAY

EXAMPLES = [
    {
        "kind": "scheduled",
        "flight": "2013-04-01.UA.1545.EWR",
        "scheduled_departure": "2013-04-01T09:15:00Z",
        "scheduled_arrival": "2013-04-01T13:09:00Z",
        "dest": "IAH",
    },
    {
        "kind": "departed",
        "flight": "2013-04-01.UA.1545.EWR",
        "at": "2013-04-01T09:27:00Z",
        "scheduled_departure": "2013-04-01T09:15:00Z",
    },
    {"kind": "weather", "station": "EWR", "hour": "2013-04-01T08:00:00Z", "temp": 41.0, "visib": 10.0},
]


class Observations(schemas.Body):
    """A batch of events, and the moment up to which the feed has told everything that it knows."""

    as_of: AwareDatetime = Field(description="the data clock goes there, if it is not later already")
    events: list[dict[str, Any]] = Field(
        max_length=MOST_EVENTS,
        examples=[EXAMPLES],
        description="of kinds scheduled, assigned, departed, arrived, cancelled, diverted and weather (docs/api.md)",
    )


class Refused(BaseModel):
    """An event that was not stored."""

    pointer: str = Field(examples=["/events/3/scheduled_arrival"])
    reason: str


class Receipt(BaseModel):
    """What became of a batch."""

    stored: int
    repeated: int = Field(description="events that were in the log already")
    refused: list[Refused]
    as_of: str = Field(description="the data clock now")
    seq: int = Field(description="the newest fact that is recorded")


@bp.post("/observations")
@bp.auth_required(auth, roles=FEEDER)
@bp.input(Observations, arg_name="batch")
@bp.output(Receipt)
def new(batch: Observations) -> dict[str, Any]:
    """Tell what was seen

    Events are recorded in one transaction, and the next prediction uses them. The same event twice is one; in any
    order is fine. When it became known is worked out here, by kind. An event that is wrong is named with its reason,
    and the others are stored. The data clock never goes back, and goes on by a day at most.
    """
    here, as_of = context.get(), clock.to_epoch(batch.as_of)
    with sql.writing(here.engine) as connection:
        now = log.data_clock(connection)
        if now is not None and as_of > now + LONGEST_STEP:
            reason = f"is more than a day after the data clock, which stands at {clock.iso(now)}"
            raise Problem(422, "Too far ahead", f"as_of {reason}.", [{"pointer": "/as_of", "reason": reason}])
        made, refused = _read(batch.events, schedules.time_zones(connection), max(as_of, now or as_of))
        flown = {split_flight_id(event.subject)[1] for event in made if event.kind == "scheduled"}
        schedules.name_carriers(connection, flown)
        appended = log.append(connection, made)
        log.move_clock(connection, as_of)
        stands, seq = log.data_clock(connection), log.newest_seq(connection)
    return {**appended._asdict(), "refused": refused, "as_of": clock.iso(stands), "seq": seq}


def _read(said: list[dict[str, Any]], zones: dict[str, str], as_of: int) -> tuple[list[Event], list[dict[str, str]]]:
    made: list[Event] = []
    refused: list[dict[str, str]] = []
    for place, fields in enumerate(said):
        try:
            made.append(observed.event(fields, zones, as_of))
        except Refusal as error:
            refused.append({"pointer": f"/events/{place}/{error.field}", "reason": str(error)})
    # In the order in which they became known, whatever the order in which they were sent.
    return sorted(dict.fromkeys(made), key=lambda event: event.known_at), refused
