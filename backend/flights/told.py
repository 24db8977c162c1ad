"""An event as a feeder tells it: what backend/flights/observed.py reads back as the same event."""

import json
from typing import Any

from backend import clock
from backend.clock import MINUTE
from backend.flights.events import Event


def fields(event: Event, departure: int | None = None) -> dict[str, Any]:
    """The fields of the event in a batch of POST /observations.

    `departure` is the flight's scheduled one (epoch seconds), where it is known: a cancellation does not hold it, and
    is taken to have been known at it where it is not given.
    """
    details: dict[str, Any] = json.loads(event.details or "{}")
    if event.kind == "weather":
        measured = {name: value for name, value in details.items() if value is not None}
        return {
            "kind": "weather",
            "station": event.subject.rpartition(".")[2],
            "hour": clock.iso(event.at),
            **measured,
        }
    said = {"kind": event.kind, "flight": event.subject}
    if event.kind == "scheduled":
        arrival = clock.iso(details.pop("arrival"))
        return said | {"scheduled_departure": clock.iso(event.at), "scheduled_arrival": arrival, **details}
    if event.kind == "diverted":
        return said | {"scheduled_arrival": clock.iso(event.at), **details}
    if event.kind == "cancelled":
        planned = event.at if departure is None else departure
        when = {} if planned == event.at else {"at": clock.iso(event.at)}
        return said | {"scheduled_departure": clock.iso(planned), **when, **details}
    planned = event.at - (event.delay_minutes or 0) * MINUTE
    if event.kind == "assigned" and departure is not None:
        planned = departure
    which = "scheduled_arrival" if event.kind == "arrived" else "scheduled_departure"
    return said | {"at": clock.iso(event.at), which: clock.iso(planned), **details}
