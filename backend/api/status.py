"""GET /status: the state of the whole installation, as the Overview shows it."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import Connection, case, func, select

from backend import clock
from backend.api import context, models, versions
from backend.api.auth import VIEWER, auth
from backend.flights.label import FINAL_AFTER, LATE_MINUTES
from backend.store import deployments, jobs, ledger, sql
from backend.store import events as log

bp = APIBlueprint("status", __name__, tag="Status")

BASE_RATE_DAYS = 28


class Facts(BaseModel):
    """What the store knows."""

    events: int
    flights: int
    weather_hours: int
    first_departure: str | None
    last_departure: str | None
    seq: int


class Champion(versions.Version):
    """The version that answers."""

    since: str


class BaseRate(BaseModel):
    """How many of the flights of the last four weeks with a final outcome were disrupted."""

    rate: float
    flights: int
    from_: str = Field(alias="from")
    until: str


class Queue(BaseModel):
    """How many jobs wait and run."""

    queued: int
    running: int


class Coded(BaseModel):
    """A code and its name."""

    code: str
    name: str


class Airports(BaseModel):
    """Where flights depart from."""

    origins: list[Coded]


class Status(BaseModel):
    """The state of the installation."""

    clock: str | None = Field(description="the data clock: up to when facts are known")
    mode: Literal["replay", "live"] = Field(description="live: the data clock is the wall clock")
    facts: Facts
    champion: Champion | None
    base_rate: BaseRate | None
    jobs: Queue
    airports: Airports
    carriers: list[Coded]


@bp.get("/status")
@bp.auth_required(auth, roles=[*VIEWER, "feeder"])
@bp.output(Status)
def status() -> dict[str, Any]:
    """The state of the installation

    The data clock, what is stored, what serves, how often flights were disrupted lately, and what is queued.
    """
    here = context.get()
    with here.engine.connect() as connection:
        now = log.data_clock(connection)
        flights = sql.flights.c
        count, first, last = connection.execute(
            select(func.count(), func.min(flights.scheduled_departure), func.max(flights.scheduled_departure))
        ).one()
        named = select(sql.airlines.c.code, sql.airlines.c.name).order_by(sql.airlines.c.name)
        from_here = select(flights.origin).distinct()
        airports = select(sql.airports.c.code, sql.airports.c.name).where(sql.airports.c.code.in_(from_here))
        return {
            "clock": clock.iso(now),
            "mode": "live" if log.is_live(connection) else "replay",
            "facts": {
                "events": connection.scalar(select(func.count()).select_from(sql.events)),
                "flights": count,
                "weather_hours": connection.scalar(select(func.count()).select_from(sql.weather)),
                "first_departure": clock.iso(first),
                "last_departure": clock.iso(last),
                "seq": log.newest_seq(connection),
            },
            "champion": _champion(connection),
            "base_rate": None if now is None else _base_rate(connection, now),
            "jobs": {state: jobs.count(here.engine, state) for state in ("queued", "running")},
            "airports": {"origins": [dict(row) for row in connection.execute(airports).mappings()]},
            "carriers": [dict(row) for row in connection.execute(named).mappings()],
        }


def _champion(connection: Connection) -> dict[str, Any] | None:
    held = models.roles(connection)
    trained = None if held.champion is None else ledger.training_of(connection, held.champion)
    if trained is None:
        return None
    since = next(one.since for one in reversed(deployments.standing(connection)) if one.version == held.champion)
    return versions.as_json(connection, trained, held) | {"since": clock.iso(since)}


def _base_rate(connection: Connection, now: int) -> dict[str, Any] | None:
    flights = sql.flights.c
    until = now - FINAL_AFTER
    since = until - BASE_RATE_DAYS * clock.DAY
    came = flights.arrived_at.is_not(None)
    over = came | flights.cancelled_at.is_not(None) | flights.diverted_at.is_not(None)
    on_time = came & (flights.arrival_delay_minutes < LATE_MINUTES)
    window = (flights.scheduled_departure >= since) & (flights.scheduled_departure < until) & over
    query = select(func.count(), func.sum(case((on_time, 0), else_=1))).where(window)
    count, disrupted = connection.execute(query).one()
    if not count:
        return None
    return {"rate": disrupted / count, "flights": count, "from": clock.iso(since), "until": clock.iso(until)}
