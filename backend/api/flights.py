"""/flights: what is scheduled, at what risk, and what became of it."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from backend import clock
from backend.api import context, flight, paging, schemas
from backend.api.auth import VIEWER, auth
from backend.api.errors import Problem
from backend.api.flight import Band, Flight, OneFlight
from backend.model import scoring
from backend.store import board, schedules
from backend.store import events as log
from backend.store.board import Wanted

bp = APIBlueprint("flights", __name__, tag="Flights", url_prefix="/flights")

BANDS: dict[Band, tuple[float | None, float | None]] = {
    "low": (None, scoring.LOW_BELOW),
    "medium": (scoring.LOW_BELOW, scoring.HIGH_FROM),
    "high": (scoring.HIGH_FROM, None),
}
# To sort by risk, or to choose by it, is to look at every flight of the window.
LONGEST_BY_RISK = 31 * clock.DAY
SCHEDULED_AHEAD = 2 * clock.DAY


class Flights(BaseModel):
    """A page of flights."""

    items: list[Flight]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Windowed):
    """Which flights: by default those whose scheduled departure is not before the data clock."""

    origin: str | None = Field(default=None, max_length=4, description="from that airport", examples=["JFK"])
    dest: str | None = Field(default=None, max_length=4, description="to that airport", examples=["LAX"])
    carrier: str | None = Field(default=None, max_length=3, description="of that carrier", examples=["B6"])
    band: Band | None = Field(default=None, description="whose newest risk is of that band")
    min_risk: float | None = Field(default=None, ge=0, le=1, description="whose newest risk is at least that")
    from_: schemas.Moment | None = Field(
        default=None, alias="from", description="scheduled departure from then on; by default from the data clock on"
    )
    until: schemas.Moment | None = Field(default=None, description="scheduled departure before then")
    sort: Literal["scheduled_departure", "-scheduled_departure", "risk", "-risk"] = paging.sort("scheduled_departure")

    @property
    def by_risk(self) -> bool:
        """Whether the newest risk of every flight in the window has to be looked at."""
        return self.band is not None or self.min_risk is not None or self.sort.endswith("risk")


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Flights)
def listing(query: Query) -> dict[str, Any]:
    """The board

    The coming flights with their newest risk, by scheduled departure; `sort=-risk` puts the riskiest first, and those
    that nobody asked about last. With `from` and `until`, those of any time; where the risk chooses or sorts, of 31
    days at most.
    """
    with context.get().engine.connect() as connection:
        now = log.data_clock(connection) or 0
        rows, following = board.listing(connection, _wanted(query, now), query.page)
    return {"items": [flight.as_json(row, now) for row in rows], "next": following}


def _wanted(query: Query, now: int) -> Wanted:
    begin, until = query.window
    since = now if begin is None else begin
    if query.by_risk and (now + SCHEDULED_AHEAD if until is None else until) - since > LONGEST_BY_RISK:
        reason = "begins a window of more than 31 days: give `from` and `until`, or choose and sort by something else"
        raise Problem(422, "Too long a window", f"from {reason}.", [{"parameter": "from", "reason": reason}])
    low, high = BANDS[query.band] if query.band else (None, None)
    if query.min_risk is not None:
        low = max(low or 0.0, query.min_risk)
    return Wanted(since, until, query.origin, query.dest, query.carrier, low, high)


@bp.get("/<identity>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(OneFlight)
@bp.doc(responses={404: "No such flight"})
def get(identity: str) -> dict[str, Any]:
    """One flight

    As it is known now, with its outcome once that is known, and what was answered about it while it was ahead.
    """
    with context.get().engine.connect() as connection:
        now = log.data_clock(connection) or 0
        row = stored(connection, identity)
        risks = [flight.risk(said.as_of, said.version, said.probability) for said in board.risks(connection, identity)]
    about = {"departed_at": clock.iso(row["departed_at"]), "outcome": flight.outcome(row, now)}
    return flight.as_json(row, now) | about | {"risks": risks}


def stored(connection: Connection, identity: str) -> dict[str, Any]:
    """The flight with that id, as `board.one` has it. Raises Problem 404."""
    row = board.one(connection, identity) if schedules.may_be_a_name(identity) else None
    if row is None:
        raise Problem(404, "No such flight", "No flight with this id is known: GET /flights lists those that are.")
    return row
