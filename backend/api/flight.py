"""What the API says of a flight: its schedule, what became of it, and what was answered about it."""

from collections.abc import Mapping
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from backend import clock
from backend.flights.label import FINAL_AFTER, disrupted
from backend.model import scoring
from backend.store import board

Status = Literal["scheduled", "overdue", "departed", "arrived", "cancelled", "diverted"]
Outcomes = Literal["arrived", "cancelled", "diverted"]
Band = Literal["low", "medium", "high"]


class Risk(BaseModel):
    """What was answered about a flight, to whomever asked."""

    probability: float = Field(ge=0, le=1, examples=[0.31])
    band: Band = Field(description="low below 0.20, high from 0.45, medium between")
    as_of: str = Field(description="from what was known then", examples=["2013-04-01T04:00:00Z"])
    model_version: str = Field(examples=["1"])


class Flight(BaseModel):
    """A flight as it is known now. Times ending in `_local` are on the airport's own clock."""

    id: str = Field(examples=["2013-04-01.UA.1545.EWR"])
    carrier: str
    carrier_name: str
    flight: int
    origin: str
    origin_name: str
    dest: str
    dest_name: str
    scheduled_departure: str
    scheduled_arrival: str
    scheduled_departure_local: str
    scheduled_arrival_local: str
    status: Status
    departure_delay_minutes: int | None
    arrival_delay_minutes: int | None
    aircraft: str | None
    disrupted: bool | None = Field(description="null while the outcome is not known")
    risk: Risk | None = Field(description="the newest answer that counts; null if nobody asked while it was ahead")


class Outcome(BaseModel):
    """How a flight ended."""

    kind: Outcomes
    at: str = Field(description="when it arrived; the scheduled time of what did not happen, unless the source knew")
    arrival_delay_minutes: int | None
    disrupted: bool
    final: bool = Field(description="36 hours after the scheduled departure: no correction counts after that")


class OneFlight(Flight):
    """A flight with what was answered about it, and how it ended."""

    departed_at: str | None
    outcome: Outcome | None = Field(description="null while it is not known")
    risks: list[Risk] = Field(description=f"by as_of, the newest last; the last {board.MOST_RISKS} at most")


def as_json(row: Mapping[str, Any], now: int) -> dict[str, Any]:
    """A flight of the store as the API shows it at the data clock `now`."""
    ended = outcome_of(row)
    departure, arrival = row["scheduled_departure"], row["scheduled_arrival"]
    newest = (row["risk_as_of"], row["risk_version"], row["risk_probability"])
    return {
        **{name: row[name] for name in ("id", "carrier", "origin", "origin_name", "dest", "dest_name", "aircraft")},
        **{name: row[name] for name in ("departure_delay_minutes", "arrival_delay_minutes")},
        "carrier_name": row["carrier_name"] or row["carrier"],
        "flight": row["number"],
        "scheduled_departure": clock.iso(departure),
        "scheduled_arrival": clock.iso(arrival),
        "scheduled_departure_local": _local(departure, row["origin_zone"]),
        "scheduled_arrival_local": _local(arrival, row["dest_zone"]),
        "status": ended or _phase(row, now),
        "disrupted": None if ended is None else disrupted(ended, row["arrival_delay_minutes"]),
        "risk": None if row["risk_as_of"] is None else risk(*newest),
    }


def outcome_of(row: Mapping[str, Any]) -> Outcomes | None:
    """How the flight ended, if that is known. An arrival has the word over a cancellation that was taken back."""
    ends: tuple[tuple[str, Outcomes], ...] = (
        ("arrived_at", "arrived"),
        ("diverted_at", "diverted"),
        ("cancelled_at", "cancelled"),
    )
    for column, kind in ends:
        if row[column] is not None:
            return kind
    return None


def outcome(row: Mapping[str, Any], now: int) -> dict[str, Any] | None:
    """An Outcome, or None while it is not known."""
    kind = outcome_of(row)
    if kind is None:
        return None
    delay = row["arrival_delay_minutes"]
    said = {"kind": kind, "at": clock.iso(row[f"{kind}_at"]), "arrival_delay_minutes": delay}
    return said | {"disrupted": disrupted(kind, delay), "final": now >= row["scheduled_departure"] + FINAL_AFTER}


def risk(as_of: int, version: int, probability: float) -> dict[str, Any]:
    """A Risk."""
    said = {"probability": probability, "band": scoring.band(probability)}
    return said | {"as_of": clock.iso(as_of), "model_version": str(version)}


def _phase(row: Mapping[str, Any], now: int) -> Status:
    if row["departed_at"] is not None:
        return "departed"
    return "overdue" if row["scheduled_departure"] < now else "scheduled"


def _local(epoch: int, zone: str) -> str:
    return clock.from_epoch(epoch).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S")
