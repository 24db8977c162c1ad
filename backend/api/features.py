"""GET /flights/{id}/features: what the model would look at as of a moment, and the facts behind each value."""

import json
from typing import Any

import numpy as np
from apiflask import APIBlueprint
from pydantic import Field
from sqlalchemy import Connection

from backend import clock
from backend.api import behind, context, schemas
from backend.api.auth import VIEWER, auth
from backend.api.errors import Problem
from backend.flights import evidence, features
from backend.flights.believed import Fact
from backend.flights.events import split_flight_id
from backend.flights.evidence import Found
from backend.flights.facts import LogRow
from backend.store import events as log
from backend.store import schedules

bp = APIBlueprint("features", __name__, tag="Flights", url_prefix="/flights")


class Query(schemas.Query):
    """Which moment."""

    as_of: schemas.Moment | None = Field(
        default=None,
        description="from what was known then; by default now, or at its scheduled departure if that has passed",
        examples=["2013-04-01T04:00:00Z"],
    )


@bp.get("/<identity>/features")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(behind.Features)
@bp.doc(responses={404: "No such flight"})
def get(identity: str, query: Query) -> dict[str, Any]:
    """Why the model says what it says

    Every feature of the flight as of a moment, with the facts behind it: which, in which window, how many, and the
    newest. And what was known of the flight itself. Facts that became known later are in none of it; facts that were
    recorded late are, as a prediction made now about that moment would use them.
    """
    here = context.get()
    with here.engine.connect() as connection:
        as_of = _moment(connection, identity, query)
        events = log.known_of(connection, identity, as_of)
        facts, history = here.serving.remembered(connection, as_of)
    seq, _, _, known_at, departure, _, details = _plan(events)
    said = json.loads(str(details))
    _, carrier, number, origin = split_flight_id(identity)
    flight = features.flights_of([(carrier, number, origin, said["dest"], departure, said["arrival"])])
    row = features.build(flight, np.array([as_of], np.int64), history)[0]
    found = evidence.find(flight, as_of, facts, history)
    found[evidence.SCHEDULE] = Found(known_at, as_of, 1, Fact(seq, "scheduled", identity, known_at))
    words = {"carrier": carrier, "number": number, "origin": origin, "dest": said["dest"]}
    return {
        "flight": identity,
        "as_of": clock.iso(as_of),
        "seq": facts.seq,
        "feature_list": features.VERSION,
        "scheduled_departure": clock.iso(departure),
        "scheduled_arrival": clock.iso(said["arrival"]),
        "dest": said["dest"],
        "events": [behind.event(event) for event in events],
        "features": [
            behind.feature(name, float(value), found, words) for name, value in zip(features.names(), row, strict=True)
        ],
    }


def _plan(events: list[LogRow]) -> LogRow:
    """The schedule that is believed: of those that are known, the one that was recorded last."""
    return max(event for event in events if event[2] == "scheduled")


def _moment(connection: Connection, identity: str, query: Query) -> int:
    """The moment that is asked about, in epoch seconds. Raises Problem 404 and 422."""
    known = log.plan_known_at(connection, identity) if schedules.may_be_a_name(identity) else None
    now = log.data_clock(connection)
    if known is None or now is None or known > now:
        raise Problem(404, "No such flight", "No flight with this id is known: GET /flights lists those that are.")
    as_of = now if query.as_of is None else clock.to_epoch(query.as_of)
    if as_of > now:
        raise _refused("as_of is in the future", f"is in the future: the data clock stands at {clock.iso(now)}")
    if as_of < known:
        why = f"is too early: the flight's schedule became known at {clock.iso(known)}"
        raise _refused("as_of is too early", why)
    departure = _plan(log.known_of(connection, identity, as_of))[4]
    if query.as_of is None:
        return min(now, departure)
    if as_of > departure:
        raise _refused("as_of is after the departure", f"is after the departure, scheduled for {clock.iso(departure)}")
    return as_of


def _refused(title: str, reason: str) -> Problem:
    return Problem(422, title, f"as_of {reason}.", [{"parameter": "as_of", "reason": reason}])
