"""What the API says of a feature: its value, and the facts behind it in words."""

import json
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from backend import clock
from backend.flights import evidence, features, reasons
from backend.flights.evidence import Found, Source
from backend.flights.facts import LogRow, unpack

# What a source is, in words: of the kind of facts, and of the flights that they are about.
KINDS = {
    "departures": "departures",
    "outcomes": "arrivals, cancellations and diversions",
    "demand": "scheduled departures",
    "overdue": "flights that should have left and have not",
    "weather": "hours of weather",
    "schedule": "this flight's schedule",
}
GROUPS = {
    "all": "of all flights",
    "origin": "from {origin}",
    "origin_now": "from {origin} at this hour of the day",
    "origin_hour": "from {origin} at the hour of its departure",
    "origin_carrier": "of {carrier} from {origin}",
    "carrier": "of {carrier}",
    "carrier_hour": "of {carrier} at the hour of its departure",
    "carrier_dest": "of {carrier} to {dest}",
    "dest": "to {dest}",
    "region": "to the region of {dest}",
    "route": "from {origin} to {dest}",
    "number": "of {carrier} {number}",
}


class Fact(BaseModel):
    """A row of the log of facts."""

    seq: int = Field(description="in the order of recording", examples=[246_801])
    kind: str = Field(examples=["departed"])
    subject: str = Field(description="a flight's id, or a station of weather", examples=["2013-03-31.UA.1701.EWR"])
    known_at: str


class Behind(BaseModel):
    """Facts that a value is made from."""

    facts: str = Field(description="which", examples=["departures of UA from EWR"])
    from_: str | None = Field(alias="from", description="facts after then; null: whenever")
    until: str | None
    number: int = Field(description="how many there are")
    newest: Fact | None = Field(description="the one that became known last")


class Feature(BaseModel):
    """A value that the model looks at."""

    name: str = Field(examples=["origin_carrier_departure_delay_3h"])
    group: str = Field(description="what it is about, as in reasons", examples=["the carrier's day"])
    value: float | str | None = Field(description="null where nothing was known", examples=[12.5])
    behind: list[Behind]


class Event(BaseModel):
    """A fact about the flight itself."""

    seq: int
    kind: str = Field(examples=["scheduled"])
    at: str = Field(description="the event's own time")
    known_at: str
    delay_minutes: int | None
    details: dict[str, Any] | None = Field(description="what else was said", examples=[{"dest": "IAH"}])


class Features(BaseModel):
    """Every feature of a flight as of a moment. Nothing that became known after it is in here."""

    flight: str = Field(examples=["2013-04-01.UA.1545.EWR"])
    as_of: str
    seq: int = Field(description="the newest fact that is recorded")
    feature_list: str = Field(description="the version of the list of features", examples=["2"])
    scheduled_departure: str = Field(description="as it was believed")
    scheduled_arrival: str
    dest: str
    events: list[Event] = Field(description="what was known of the flight itself, as it became known")
    features: list[Feature]


def feature(name: str, value: float, sources: dict[Source, Found], words: dict[str, Any]) -> dict[str, Any]:
    """A Feature; `words` are the carrier, number, origin and dest of its flight."""
    behind = [_behind(source, sources[source], words) for source in evidence.sources()[name]]
    return {"name": name, "group": reasons.about(name), "value": _value(name, value), "behind": behind}


def event(row: LogRow) -> dict[str, Any]:
    """A row of the log as an Event."""
    seq, _, kind, known_at, at, delay, details = row
    said = json.loads(details) if details else None
    if said and "arrival" in said:
        said |= {"arrival": clock.iso(said["arrival"])}
    times = {"at": clock.iso(at), "known_at": clock.iso(known_at)}
    return {"seq": seq, "kind": kind, "delay_minutes": delay, "details": said, **times}


def _value(name: str, value: float) -> float | str | None:
    if np.isnan(value):
        return None
    return unpack(int(value)) if name in features.CATEGORIES else value


def _behind(source: Source, found: Found, words: dict[str, Any]) -> dict[str, Any]:
    facts = f"{KINDS[source.kind]} {GROUPS[source.group].format(**words)}" if source.group else KINDS[source.kind]
    if source == evidence.WEATHER:
        facts = f"{facts} at {words['origin']}"
    newest = found.newest
    shown = None if newest is None else newest._asdict() | {"known_at": clock.iso(newest.known_at)}
    own = source == evidence.SCHEDULE
    window = {"from": None if own else clock.iso(found.after), "until": None if own else clock.iso(found.until)}
    return {"facts": facts, **window, "number": found.number, "newest": shown}
