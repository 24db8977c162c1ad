"""POST /observations: what a feed saw, and how far the data clock may go."""

from collections import Counter
from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from backend import clock, rehearsal
from backend.api import context, schemas
from backend.api.auth import FEEDER, auth, current_account
from backend.api.errors import Problem
from backend.flights import observed
from backend.flights.events import Event, split_flight_id
from backend.flights.observed import Refusal
from backend.monitoring import duties
from backend.store import events as log
from backend.store import quality, receipts, schedules, slots, sql
from backend.store.receipts import OtherContentError
from backend.store.slots import Slot

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

    as_of: schemas.Moment = Field(
        description="everything is told up to then; in a replay the data clock goes there, if it is not later already"
    )
    events: list[dict[str, Any]] = Field(
        max_length=MOST_EVENTS,
        examples=[EXAMPLES],
        description="of kinds scheduled, assigned, departed, arrived, cancelled, diverted and weather (docs/api.md)",
    )


class Repeating(BaseModel):
    """Headers of a batch."""

    idempotency_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        pattern="^[!-~]+$",
        description="names the batch for a day: sent again with the same key it changes nothing and gets the same "
        "receipt; another one with that key is refused",
        examples=["feed-1:2013-04-01T09:15:00Z"],
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
    next_due: str | None = Field(description="how far the data clock may go before work is done that is due then")


@bp.post("/observations")
@bp.auth_required(auth, roles=FEEDER)
@bp.input(Repeating, location="headers", arg_name="headers")
@bp.input(Observations, arg_name="batch")
@bp.output(Receipt)
@bp.doc(responses={409: "Work that is due before as_of is not done yet: tell up to then, and the rest later"})
def new(headers: Repeating, batch: Observations) -> dict[str, Any]:
    """Tell what was seen

    Events are recorded in one transaction, and the next prediction uses them. The same event twice is one; in any
    order is fine. When it became known is worked out here, by kind. An event that is wrong is named with its reason,
    and the others are stored. In a replay the data clock goes to `as_of`: never back, and on by a day at most,
    nor past a moment at which work is due that is not done (409; `next_due` says when that is). In live
    mode it is the wall clock, and `as_of` must not be after it.
    """
    here, account, key = context.get(), current_account().id, headers.idempotency_key
    content = b"" if key is None else receipts.digest(batch.model_dump(mode="json"))
    with sql.writing(here.engine) as connection:
        log.lock(connection)
        if key is not None:
            told = _before(connection, account, key, content)
            if told is not None:
                return told
        limit = duties.limit(connection, here.documents, clock.to_epoch(batch.as_of), here.now())
        if limit is None:
            receipt = _record(connection, batch)
            if key is not None:
                receipts.keep(connection, account, key, content, receipt, here.now())
            return receipt
        waiting = slots.unfinished(connection)
    raise _not_yet(limit, waiting)


def _not_yet(limit: int, waiting: list[Slot]) -> Problem:
    """The 409 that says what has to be done before the clock goes on. Nothing of the batch was stored."""
    at = clock.iso(limit)
    due = [f"{each.name} ({f'job {each.job}' if each.job else each.state})" for each in waiting if each.slot <= limit]
    what = f"{', '.join(due)} of {at} is done" if due else f"the scheduler has planned what comes after {at}"
    reason = f"is later than the clock may go: it waits at {at} until {what}"
    place = {"pointer": "/as_of", "reason": reason, "accepted": at}
    return Problem(409, "Work is due before", f"as_of {reason}.", [place], {"Retry-After": "1"})


def _before(connection: Connection, account: str, key: str, content: bytes) -> dict[str, Any] | None:
    try:
        return receipts.find(connection, account, key, content, context.get().now())
    except OtherContentError as error:
        reason = "was the key of a batch with another content"
        place = {"parameter": "Idempotency-Key", "reason": reason}
        detail = f"Idempotency-Key {reason}: give each batch a key of its own."
        raise Problem(422, "Another batch had this key", detail, [place]) from error


def _record(connection: Connection, batch: Observations) -> dict[str, Any]:
    as_of, now, before = clock.to_epoch(batch.as_of), log.data_clock(connection), log.newest_seq(connection)
    told = log.told_until(connection)
    _check(as_of, now, log.is_live(connection))
    made, refused = _read(batch.events, schedules.time_zones(connection), max(as_of, now or as_of))
    flown = Counter(split_flight_id(event.subject)[1] for event in made if event.kind == "scheduled")
    new_carriers = schedules.name_carriers(connection, flown)
    appended = log.append(connection, made)
    log.move_clock(connection, as_of)
    stands, seq = log.data_clock(connection) or as_of, log.newest_seq(connection)
    counts = quality.stored_after(connection, before, now or as_of)
    counts["repeated", ""] += appended.repeated
    counts.update(("refused", rule) for rule, _ in refused)
    counts.update({("unknown_carrier", code): flown[code] for code in new_carriers})
    if told is not None and as_of > told:
        counts.update(quality.missing_weather(connection, told, as_of))
    quality.count(connection, stands, counts)
    named = [said for _, said in refused]
    ends = None if log.is_live(connection) else slots.limit(connection)
    said = {**appended._asdict(), "refused": named, "as_of": clock.iso(stands), "seq": seq}
    return said | {"next_due": clock.iso(ends)}


def _check(as_of: int, now: int | None, live: bool) -> None:
    """Raises Problem 422 for an `as_of` up to which nobody can have told."""
    if now is None or as_of <= (now if live else now + LONGEST_STEP):
        return
    reason = "is in the future" if live else "is more than a day after the data clock"
    reason += f": the clock stands at {clock.iso(now)}"
    raise Problem(422, "Too far ahead", f"as_of {reason}.", [{"pointer": "/as_of", "reason": reason}])


def _read(
    said: list[dict[str, Any]], zones: dict[str, str], as_of: int
) -> tuple[list[Event], list[tuple[str, dict[str, str]]]]:
    """The events, in the order in which they became known whatever the order in which they were sent, and what was
    refused, each after the rule that it broke."""
    made: list[Event] = []
    here_breaks = rehearsal.is_one(context.get().documents)
    refused: list[tuple[str, dict[str, str]]] = []
    for place, fields in enumerate(said):
        try:
            made.append(observed.event(fields, zones, as_of, here_breaks))
        except Refusal as error:
            refused.append((error.rule, {"pointer": f"/events/{place}/{error.field}", "reason": str(error)}))
    return sorted(dict.fromkeys(made), key=lambda event: event.known_at), refused
