"""Questions about flights against what is stored: a few queries for any number of them."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, literal, select, union_all

from backend.flights import asked
from backend.flights.asked import Fault, Known, Question, Schedule, Stored
from backend.store import sql
from backend.store.events import insert_for
from backend.store.statements import Statement

AT_ONCE = 1000  # questions a query: SQLite takes 32,766 parameters


def resolve(
    connection: Connection, questions: Sequence[Question | list[Fault]], as_of: int
) -> list[Schedule | list[Fault]]:
    """For each question the schedule that it is about, or everything that is wrong with asking it as of `as_of`.

    A row that could not be read as a question keeps its faults and its place.
    """
    found: list[Schedule | list[Fault]] = []
    for start in range(0, len(questions), AT_ONCE):
        part = questions[start : start + AT_ONCE]
        known = _known(connection, [question for question in part if isinstance(question, Question)])
        found += [asked.resolve(row, known, as_of) if isinstance(row, Question) else row for row in part]
    return found


def time_zones(connection: Connection) -> dict[str, str]:
    """The IANA time zone of each known airport, by its code."""
    rows = connection.execute(select(sql.airports.c.code, sql.airports.c.time_zone))
    return {str(code): str(zone) for code, zone in rows}


def name_carriers(connection: Connection, codes: Collection[str]) -> list[str]:
    """Let carriers be known; one that has no name goes by its code. Returns those that were not known."""
    known = set(connection.scalars(select(sql.airlines.c.code).where(sql.airlines.c.code.in_(codes))))
    new = sorted(set(codes) - known)
    if new:
        rows = [{"code": code, "name": code} for code in new]
        connection.execute(insert_for(connection)(sql.airlines).on_conflict_do_nothing(), rows)
    return new


def _columns() -> tuple[Any, ...]:
    table = sql.flights.c
    schedule = (table.carrier, table.number, table.origin, table.dest)
    return (table.id, *schedule, table.scheduled_departure, table.scheduled_arrival)


def _any_of(name: str) -> Any:
    return bindparam(name, expanding=True)


_BY_ID = Statement(select(*_columns()).where(sql.flights.c.id.in_(_any_of("ids"))))
_BY_SCHEDULE = Statement(
    select(*_columns()).where(
        sql.flights.c.scheduled_departure.in_(_any_of("departures")), sql.flights.c.number.in_(_any_of("numbers"))
    )
)
_NAMES = Statement(
    union_all(
        select(sql.airports.c.code, sql.airports.c.time_zone).where(sql.airports.c.code.in_(_any_of("airports"))),
        select(sql.airlines.c.code, literal(None)),
    )
)


def _known(connection: Connection, questions: Sequence[Question]) -> Known:
    plans = [question for question in questions if question.id is None]
    ids = {question.id for question in questions if question.id is not None and may_be_a_name(question.id)}
    times = {"departures": {plan.departure for plan in plans}, "numbers": {plan.number for plan in plans}}
    by_id = _stored(connection, _BY_ID, {"ids": ids})
    by_schedule = _stored(connection, _BY_SCHEDULE, times)
    codes = {code for plan in plans for code in (plan.origin, plan.dest) if may_be_a_name(code)}
    codes |= {code for flight in by_id for code in (flight.origin, flight.dest)}
    names = _NAMES.rows(connection, {"airports": list(codes)})
    return Known(
        by_id={flight.id: flight for flight in by_id},
        by_schedule={flight[1:6]: flight for flight in by_schedule},
        time_zones={code: zone for code, zone in names if zone is not None},
        carriers={code for code, zone in names if zone is None},
    )


def _stored(connection: Connection, statement: Statement, values: dict[str, set[Any]]) -> list[Stored]:
    if not all(values.values()):
        return []
    rows = statement.rows(connection, {name: list(wanted) for name, wanted in values.items()})
    return [Stored(*row) for row in rows]


def may_be_a_name(text: str) -> bool:
    """PostgreSQL refuses a whole query for one NUL in a text."""
    return text.isascii() and text.isprintable()
