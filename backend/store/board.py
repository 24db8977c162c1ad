"""Flights as the board shows them: with the names of their places, and with the newest risk that was answered."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, func, select

from backend.store import pages, sql
from backend.store.pages import Order, Page

_flights, _said = sql.flights.c, sql.predictions.c
_origins, _dests = sql.airports.alias("origins"), sql.airports.alias("dests")
# Answers that count: about the flight as it is stored, and not about a moment that had passed when it was asked.
_counts = and_(_said.flight == _flights.id, _said.variant == "", _said.past.is_(False))

# Answers about one flight by as_of are an index's order: same_question_once.
_newest = select(_said.id).where(_counts).order_by(_said.as_of.desc(), _said.id.desc()).limit(1)
_risks = sql.predictions.alias("risks")
_RISK = ("as_of", "version", "probability")
MOST_RISKS = 200

_FLIGHT = (
    select(
        sql.flights,
        sql.airlines.c.name.label("carrier_name"),
        _origins.c.name.label("origin_name"),
        _dests.c.name.label("dest_name"),
        _origins.c.time_zone.label("origin_zone"),
        _dests.c.time_zone.label("dest_zone"),
        *(_risks.c[name].label(f"risk_{name}") for name in _RISK),
    )
    .select_from(sql.flights)
    .join(_origins, _origins.c.code == _flights.origin)
    .join(_dests, _dests.c.code == _flights.dest)
    .outerjoin(sql.airlines, sql.airlines.c.code == _flights.carrier)
    .outerjoin(_risks, _risks.c.id == _newest.correlate(sql.flights).scalar_subquery())
)
# A flight that nobody asked about comes below all others.
ORDER = Order(
    "flights",
    _flights.id,
    {"scheduled_departure": _flights.scheduled_departure, "risk": func.coalesce(_risks.c.probability, -1.0)},
)


class Wanted(NamedTuple):
    """Which flights: scheduled departure from `since` on and before `until`, and a newest risk of at least `risk_from`
    and below `risk_below`; None where any will do."""

    since: int
    until: int | None = None
    origin: str | None = None
    dest: str | None = None
    carrier: str | None = None
    risk_from: float | None = None
    risk_below: float | None = None


def listing(connection: Connection, wanted: Wanted, page: Page) -> tuple[list[dict[str, Any]], str | None]:
    """A page of flights, and the cursor of the next. Raises CursorError.

    Beside the columns of `flights`: carrier_name, origin_name, dest_name, origin_zone, dest_zone, risk_as_of,
    risk_version and risk_probability, None where nobody asked yet.
    """
    rows, following = pages.cut(connection, _of(wanted), ORDER, page)
    return [row._asdict() for row in rows], following


def one(connection: Connection, identity: str) -> dict[str, Any] | None:
    """The flight with that id, with the same columns, or None."""
    row = connection.execute(_FLIGHT.where(_flights.id == identity)).one_or_none()
    return None if row is None else row._asdict()


def risks(connection: Connection, identity: str) -> Sequence[Row[Any]]:
    """What was answered about that flight and counts, by as_of, one row each: as_of, version, probability.

    Several accounts that ask as of one moment are told the same, unless facts came between them: the last has the word.
    The newest MOST_RISKS.
    """
    last = select(func.max(_said.id)).where(_said.flight == identity, _said.variant == "", _said.past.is_(False))
    ids = last.group_by(_said.as_of).order_by(_said.as_of.desc()).limit(MOST_RISKS)
    columns = (_said[name] for name in _RISK)
    return connection.execute(select(*columns).where(_said.id.in_(ids)).order_by(_said.as_of)).all()


def _of(wanted: Wanted) -> Select[Any]:
    said = _FLIGHT.where(_flights.scheduled_departure >= wanted.since)
    if wanted.until is not None:
        said = said.where(_flights.scheduled_departure < wanted.until)
    for name in ("origin", "dest", "carrier"):
        if getattr(wanted, name) is not None:
            said = said.where(_flights[name] == getattr(wanted, name))
    if wanted.risk_from is not None:
        said = said.where(_risks.c.probability >= wanted.risk_from)
    if wanted.risk_below is not None:
        said = said.where(_risks.c.probability < wanted.risk_below)
    return said
