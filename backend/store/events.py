"""The append-only log of facts, and its projections `flights` and `weather`, which can be rebuilt from it."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.flights.events import WEATHER_FIELDS, Event, split_flight_id
from backend.flights.facts import LogRow
from backend.store import sql

_APPEND_LOCK = 7_310_001  # PostgreSQL advisory lock: `seq` has to grow in the order of commits


class Appended(NamedTuple):
    """How many events were new and how many were already there."""

    stored: int
    repeated: int


def insert_for(connection: Connection) -> Callable[..., Any]:
    """The dialect's `insert`, which knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def append(connection: Connection, events: Sequence[Event]) -> Appended:
    """Record events in the order given and bring the projections up to date, inside the caller's write transaction.

    An event that is already in the log is not stored again.
    """
    if not events:
        return Appended(0, 0)
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPEND_LOCK})
    before = newest_seq(connection)
    statement = insert_for(connection)(sql.events).on_conflict_do_nothing()
    connection.execute(statement, [{**event._asdict(), "digest": event.digest} for event in events])
    stored = connection.scalar(select(func.count()).where(sql.events.c.seq > before)) or 0
    project(connection, before)
    return Appended(stored, len(events) - stored)


def newest_seq(connection: Connection) -> int:
    """The `seq` of the newest event in the log, 0 when it is empty."""
    return connection.scalar(select(func.max(sql.events.c.seq))) or 0


def known_between(connection: Connection, after: int, until: int, schedules_since: int) -> Iterator[LogRow]:
    """Rows of the log with `after < known_at <= until`, and schedules known after `schedules_since`, by `seq`.

    Outcomes need their flight's schedule, which became known days before them.
    """
    columns = sql.events.c
    wanted = (columns.known_at > after) | ((columns.kind == "scheduled") & (columns.known_at > schedules_since))
    statement = _LOG_ROW.where(columns.known_at <= until, columns.known_at > schedules_since, wanted)
    return _rows(connection, statement.order_by(columns.seq))


def recorded_after(connection: Connection, seq: int) -> Iterator[LogRow]:
    """Rows of the log that were recorded after `seq`, in order."""
    return _rows(connection, _LOG_ROW.where(sql.events.c.seq > seq).order_by(sql.events.c.seq))


_LOG_ROW = select(
    sql.events.c.seq,
    sql.events.c.subject,
    sql.events.c.kind,
    sql.events.c.known_at,
    sql.events.c.at,
    sql.events.c.delay_minutes,
    sql.events.c.details,
)


def _rows(connection: Connection, statement: Any) -> Iterator[LogRow]:
    for row in connection.execute(statement, execution_options={"yield_per": 20_000}):
        yield tuple(row)


def rebuild(connection: Connection) -> None:
    """Make the projections anew from the log."""
    connection.execute(delete(sql.flights))
    connection.execute(delete(sql.weather))
    project(connection, 0)


def project(connection: Connection, after_seq: int) -> None:
    """Bring the projections from `after_seq` up to the end of the log. The row that was recorded last has the word."""
    rows: dict[str, list[dict[str, Any]]] = {}
    values: dict[str, Any]
    for seq, subject, kind, _, at, delay, details in recorded_after(connection, after_seq):
        said = json.loads(details) if details else {}
        values = {"id_": subject, "seq_": seq}
        if kind == "scheduled":
            _, carrier, number, origin = split_flight_id(subject)
            values = {"id": subject, "carrier": carrier, "number": number, "origin": origin, "dest": said["dest"]}
            values |= {"scheduled_departure": at, "scheduled_arrival": said["arrival"], "last_seq": seq}
        elif kind == "weather":
            values = {"station": subject.rpartition(".")[2], "hour": at, "last_seq": seq, **said}
        elif kind == "departed":
            values |= {"at_": at, "delay_": delay, "aircraft_": said.get("aircraft")}
        elif kind == "arrived":
            values |= {"at_": at, "delay_": delay}
        elif kind == "assigned":
            values |= {"aircraft_": said["aircraft"]}
        else:
            values |= {"at_": at}
        rows.setdefault(kind, []).append(values)
    if "scheduled" in rows:
        changed = ("dest", "scheduled_departure", "scheduled_arrival", "last_seq")
        _upsert(connection, sql.flights, ("id",), changed, rows.pop("scheduled"))
    if "weather" in rows:
        _upsert(connection, sql.weather, ("station", "hour"), (*WEATHER_FIELDS, "last_seq"), rows.pop("weather"))
    for kind, changes in rows.items():
        connection.execute(_FLIGHT_UPDATES[kind], changes)


def _flight_update(**columns: str) -> Any:
    values = {name: bindparam(parameter) for name, parameter in columns.items()}
    return update(sql.flights).where(sql.flights.c.id == bindparam("id_")).values(**values, last_seq=bindparam("seq_"))


_FLIGHT_UPDATES = {
    "departed": _flight_update(departed_at="at_", departure_delay_minutes="delay_", aircraft="aircraft_"),
    "arrived": _flight_update(arrived_at="at_", arrival_delay_minutes="delay_"),
    "cancelled": _flight_update(cancelled_at="at_"),
    "diverted": _flight_update(diverted_at="at_"),
    "assigned": _flight_update(aircraft="aircraft_"),
}


def _upsert(
    connection: Connection, table: Any, key: Iterable[str], changed: Iterable[str], rows: list[dict[str, Any]]
) -> None:
    insert = insert_for(connection)(table)
    changes = {name: insert.excluded[name] for name in changed}
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=changes), rows)


def data_clock(connection: Connection) -> int | None:
    """The moment up to which facts are known, or None before the first ingest."""
    return connection.scalar(select(sql.clock.c.at).where(sql.clock.c.name == "data"))


def move_clock(connection: Connection, at: int) -> None:
    """Move the data clock forward to `at`. It never goes back: an earlier time changes nothing."""
    insert = insert_for(connection)(sql.clock).values(name="data", at=at)
    forward = insert.on_conflict_do_update(index_elements=["name"], set_={"at": at}, where=sql.clock.c.at < at)
    connection.execute(forward)
