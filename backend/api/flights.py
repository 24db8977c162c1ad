"""/flights: what is scheduled, and what became of it."""

from typing import Any, Literal
from zoneinfo import ZoneInfo

from apiflask import APIBlueprint
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Connection, Select, select, tuple_

from backend import clock
from backend.api import context, schemas
from backend.api.auth import VIEWER, auth
from backend.api.errors import Problem
from backend.flights.label import disrupted
from backend.store import events as log
from backend.store import sql

bp = APIBlueprint("flights", __name__, tag="Flights", url_prefix="/flights")

Status = Literal["scheduled", "overdue", "departed", "arrived", "cancelled", "diverted"]


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


class Flights(BaseModel):
    """A page of flights, by scheduled departure."""

    items: list[Flight]
    next: str | None


class Page(schemas.Query):
    """Which flights: by default those whose scheduled departure is not before the data clock."""

    origin: str | None = Field(default=None, max_length=4)
    dest: str | None = Field(default=None, max_length=4)
    carrier: str | None = Field(default=None, max_length=3)
    from_: AwareDatetime | None = Field(default=None, alias="from", description="scheduled departure from then on")
    until: AwareDatetime | None = Field(default=None, description="scheduled departure before then")
    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=80, description="the `next` of the page before")


_origins, _dests = sql.airports.alias("origins"), sql.airports.alias("dests")


def _query() -> Select[Any]:
    table = sql.flights.c
    return (
        select(
            sql.flights,
            sql.airlines.c.name.label("carrier_name"),
            _origins.c.name.label("origin_name"),
            _dests.c.name.label("dest_name"),
            _origins.c.time_zone.label("origin_zone"),
            _dests.c.time_zone.label("dest_zone"),
        )
        .join(_origins, _origins.c.code == table.origin)
        .join(_dests, _dests.c.code == table.dest)
        .outerjoin(sql.airlines, sql.airlines.c.code == table.carrier)
    )


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Page, location="query", arg_name="page")
@bp.output(Flights)
def listing(page: Page) -> dict[str, Any]:
    """List flights

    The coming ones, by scheduled departure; with `from` and `until`, those of any time.
    """
    table = sql.flights.c
    with context.get().engine.connect() as connection:
        now = log.data_clock(connection) or 0
        first = now if page.from_ is None else clock.to_epoch(page.from_)
        query = _query().where(table.scheduled_departure >= first)
        if page.until is not None:
            query = query.where(table.scheduled_departure < clock.to_epoch(page.until))
        for column, value in ((table.origin, page.origin), (table.dest, page.dest), (table.carrier, page.carrier)):
            if value is not None:
                query = query.where(column == value)
        if page.cursor is not None:
            query = query.where(tuple_(table.scheduled_departure, table.id) > _position(page.cursor))
        ordered = query.order_by(table.scheduled_departure, table.id).limit(page.limit + 1)
        rows = connection.execute(ordered).mappings().all()
    items = [as_json(dict(row), now) for row in rows[: page.limit]]
    last = rows[page.limit - 1] if len(rows) > page.limit else None
    return {"items": items, "next": None if last is None else f"{last['scheduled_departure']}.{last['id']}"}


@bp.get("/<identity>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(Flight)
def get(identity: str) -> dict[str, Any]:
    """One flight"""
    with context.get().engine.connect() as connection:
        now = log.data_clock(connection) or 0
        return as_json(_stored(connection, identity), now)


def _stored(connection: Connection, identity: str) -> dict[str, Any]:
    row = connection.execute(_query().where(sql.flights.c.id == identity)).mappings().one_or_none()
    if row is None:
        raise Problem(404, "No such flight", "No flight with this id is known: GET /flights lists those that are.")
    return dict(row)


def _position(cursor: str) -> tuple[int, str]:
    departure, _, identity = cursor.partition(".")
    if not (departure.isdecimal() and len(departure) < 13 and identity):
        place = {"parameter": "cursor", "reason": "is no cursor: give the `next` of the page before"}
        raise Problem(422, "The request is not valid", "cursor is no cursor of this list.", [place])
    return int(departure), identity


def as_json(row: dict[str, Any], now: int) -> dict[str, Any]:
    """A flight of the store as the API shows it at the data clock `now`."""
    outcome = outcome_of(row)
    departure, arrival = row["scheduled_departure"], row["scheduled_arrival"]
    return {
        **{name: row[name] for name in ("id", "carrier", "origin", "origin_name", "dest", "dest_name", "aircraft")},
        **{name: row[name] for name in ("departure_delay_minutes", "arrival_delay_minutes")},
        "carrier_name": row["carrier_name"] or row["carrier"],
        "flight": row["number"],
        "scheduled_departure": clock.iso(departure),
        "scheduled_arrival": clock.iso(arrival),
        "scheduled_departure_local": _local(departure, row["origin_zone"]),
        "scheduled_arrival_local": _local(arrival, row["dest_zone"]),
        "status": outcome or _phase(row, now),
        "disrupted": None if outcome is None else disrupted(outcome, row["arrival_delay_minutes"]),
    }


def outcome_of(row: dict[str, Any]) -> str | None:
    """How the flight ended, if that is known. An arrival has the word over a cancellation that was taken back."""
    for column, outcome in (("arrived_at", "arrived"), ("diverted_at", "diverted"), ("cancelled_at", "cancelled")):
        if row[column] is not None:
            return outcome
    return None


def _phase(row: dict[str, Any], now: int) -> Status:
    if row["departed_at"] is not None:
        return "departed"
    return "overdue" if row["scheduled_departure"] < now else "scheduled"


def _local(epoch: int, zone: str) -> str:
    return clock.from_epoch(epoch).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S")
