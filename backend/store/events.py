"""The append-only log of facts, and its projections `flights` and `weather`, which can be rebuilt from it."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.flights.events import BROKEN, Event, split_flight_id
from backend.flights.facts import LogRow
from backend.store import sql
from backend.store.jobs import database_now
from backend.store.statements import Statement

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
    lock(connection)
    before = newest_seq(connection)
    insert = insert_for(connection)(sql.events).values({name: bindparam(name) for name in (*Event._fields, "digest")})
    rows = [{**event._asdict(), "digest": event.digest} for event in events]
    _execute_many(connection, insert.on_conflict_do_nothing(), rows)
    stored = connection.scalar(select(func.count()).where(sql.events.c.seq > before)) or 0
    project(connection, before)
    return Appended(stored, len(events) - stored)


def lock(connection: Connection) -> None:
    """One transaction at a time appends. SQLite has one writer anyway; in PostgreSQL it is held until the end."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPEND_LOCK})


def newest_seq(connection: Connection) -> int:
    """The `seq` of the newest event in the log, 0 when it is empty."""
    return _NEWEST_SEQ.scalar(connection) or 0


_NEWEST_SEQ = Statement(select(func.max(sql.events.c.seq)))


def newest_known(connection: Connection, at: int) -> int | None:
    """When the newest fact that is known at a moment became known; None where none is."""
    known_at = sql.events.c.known_at
    newest: int | None = connection.scalar(select(func.max(known_at)).where(known_at <= at))
    return newest


def first_known(connection: Connection) -> int | None:
    """When the first fact became known, in epoch seconds; None where there are no facts."""
    found: int | None = connection.scalar(select(func.min(sql.events.c.known_at)))
    return found


def known_between(
    connection: Connection, after: int, until: int, flights_since: int, recorded_until: int | None = None
) -> Iterator[LogRow]:
    """Rows of the log with `after < known_at <= until`, and those about flights after `flights_since`, by `seq`.

    With `recorded_until`, only rows with at most that `seq`: the log as it was once.

    An outcome needs its flight's schedule, which became known days before it, and the word that took its place, which
    may have been known before it too: a cancellation that was recorded late.
    """
    columns = sql.events.c
    wanted = (columns.known_at > after) | (columns.kind != "weather")
    statement = _LOG_ROW.where(columns.known_at <= until, columns.known_at > flights_since, wanted)
    if recorded_until is not None:
        statement = statement.where(columns.seq <= recorded_until)
    return _rows(connection, statement.order_by(columns.seq))


def recorded_after(connection: Connection, seq: int) -> Iterator[LogRow]:
    """Rows of the log that were recorded after `seq`, in order."""
    return _rows(connection, _LOG_ROW.where(sql.events.c.seq > seq).order_by(sql.events.c.seq))


def recorded_late(connection: Connection, after_seq: int, known_until: int) -> list[tuple[int, int]]:
    """(seq, known_at) of rows that were recorded after `after_seq` and known by a moment, by `seq`."""
    columns = sql.events.c
    statement = select(columns.seq, columns.known_at).where(columns.seq > after_seq, columns.known_at <= known_until)
    return [tuple(row) for row in connection.execute(statement.order_by(columns.seq))]


def about(
    connection: Connection, subjects: Collection[str], until_seq: int, known_after: int, or_seq_after: int
) -> list[LogRow]:
    """What had been recorded about those subjects up to `until_seq`, by `seq`: what became known after a moment, and
    whatever was recorded after another `seq`."""
    columns = sql.events.c
    found: list[LogRow] = []
    for start in range(0, len(subjects), _ASKED_AT_ONCE):
        some = list(subjects)[start : start + _ASKED_AT_ONCE]
        statement = _LOG_ROW.where(columns.subject.in_(some), columns.seq <= until_seq)
        wanted = (columns.known_at > known_after) | (columns.seq > or_seq_after)
        found += _rows(connection, statement.where(wanted))
    return sorted(found)


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


def known_of(connection: Connection, subject: str, until: int) -> list[LogRow]:
    """What was known of a flight, or of an hour of weather, at that moment (epoch seconds), as it became known."""
    said = _LOG_ROW.where(sql.events.c.subject == subject, sql.events.c.known_at <= until)
    rows = connection.execute(said.order_by(sql.events.c.known_at, sql.events.c.seq))
    return [tuple(row) for row in rows]


def plan_known_at(connection: Connection, flight: str) -> int | None:
    """When that flight's first schedule became known (epoch seconds), or None where it has none."""
    mine = (sql.events.c.subject == flight, sql.events.c.kind == "scheduled")
    found: int | None = connection.scalar(select(func.min(sql.events.c.known_at)).where(*mine))
    return found


def rebuild(connection: Connection) -> None:
    """Make the projections anew from the log."""
    connection.execute(delete(sql.flights))
    connection.execute(delete(sql.weather))
    project(connection, 0)


def project(connection: Connection, after_seq: int) -> None:
    """Bring the projections from `after_seq` up to the end of the log. The row that was recorded last has the word."""
    rows = recorded_after(connection, after_seq)
    while part := list(islice(rows, _PROJECTED_AT_ONCE)):
        _project(connection, [*_waited(connection, part), *part])


def _waited(connection: Connection, part: Sequence[LogRow]) -> list[LogRow]:
    """What was recorded about flights of the part before their first schedule, which is in it."""
    planned = sorted({subject for _, subject, kind, *_ in part if kind == "scheduled"})
    waited: list[LogRow] = []
    for start in range(0, len(planned), _ASKED_AT_ONCE):
        some = planned[start : start + _ASKED_AT_ONCE]
        there = set(connection.scalars(select(sql.flights.c.id).where(sql.flights.c.id.in_(some))))
        new = [subject for subject in some if subject not in there]
        earlier = _LOG_ROW.where(sql.events.c.subject.in_(new), sql.events.c.seq < part[0][0])
        waited += (tuple(row) for row in connection.execute(earlier)) if new else ()
    return sorted(waited)


def _project(connection: Connection, rows: Iterable[LogRow]) -> None:
    """Write what rows of the log say, which come by `seq`: one row for each flight and for each hour of weather."""
    flights: dict[str, dict[str, Any]] = {}
    hours: dict[str, dict[str, Any]] = {}
    for seq, subject, kind, _, at, delay, details in rows:
        said = json.loads(details) if details else {}
        said.pop(BROKEN, None)
        if kind == "weather":
            hours[subject] = {"station": subject.rpartition(".")[2], "hour": at, "last_seq": seq, **said}
            continue
        flight = flights.setdefault(subject, {"id": subject})
        flight["last_seq"] = seq
        if kind == "scheduled":
            _, carrier, number, origin = split_flight_id(subject)
            flight |= {"carrier": carrier, "number": number, "origin": origin, "dest": said["dest"]}
            flight |= {"scheduled_departure": at, "scheduled_arrival": said["arrival"]}
        elif kind == "departed":
            flight |= {"departed_at": at, "departure_delay_minutes": delay, **said}
        elif kind == "assigned":
            flight |= said
        else:
            flight |= {**_NO_OUTCOME, f"{kind}_at": at, "arrival_delay_minutes": delay}
    # What is said about a flight whose schedule is not recorded waits in the log for it.
    for changes in (flights.values(), hours.values()):
        for alike in _with_equal_columns(changes):
            _write(connection, alike)


_PROJECTED_AT_ONCE = 200_000
_ASKED_AT_ONCE = 1000  # SQLite takes 32,766 parameters
_NO_OUTCOME = dict.fromkeys(("arrived_at", "arrival_delay_minutes", "cancelled_at", "diverted_at"))


def _with_equal_columns(rows: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    groups: dict[frozenset[str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(frozenset(row), []).append(row)
    return groups.values()


def _write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Write rows of a projection that say the same columns; without a schedule, only to flights that are there."""
    table, key = (sql.weather, ["station", "hour"]) if "station" in rows[0] else (sql.flights, ["id"])
    changed = [name for name in rows[0] if name not in key]
    if table is sql.flights and "dest" not in rows[0]:
        parameters = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in changed}
        change = update(table).where(table.c.id == bindparam("new_id")).values(parameters)
        _execute_many(connection, change, [{f"new_{name}": value for name, value in row.items()} for row in rows])
        return
    insert = insert_for(connection)(table).values({name: bindparam(name) for name in rows[0]})
    upsert = insert.on_conflict_do_update(index_elements=key, set_={name: insert.excluded[name] for name in changed})
    _execute_many(connection, upsert, rows)


def _execute_many(connection: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a statement for each row of parameters, compiled once: SQLAlchemy's own way takes twice the time."""
    compiled = statement.compile(dialect=connection.dialect)
    if compiled.positional:
        in_order = itemgetter(*compiled.positiontup)
        connection.exec_driver_sql(str(compiled), [in_order(row) for row in rows])
    else:
        connection.exec_driver_sql(str(compiled), list(rows))


def data_clock(connection: Connection) -> int | None:
    """The moment up to which facts are known, or None before the first ingest.

    In a replay that is as far as feeders have told; in live mode it is the database's clock, which all processes share
    and nobody moves. Whoever needs the time of the data asks here.
    """
    clocks = _clocks(connection)
    return database_now(connection) if LIVE in clocks and TOLD in clocks else clocks.get(TOLD)


def told_until(connection: Connection) -> int | None:
    """Up to when feeders say that they have told everything; None before the first ingest."""
    return _clocks(connection).get(TOLD)


def is_live(connection: Connection) -> bool:
    """Whether the data clock is the wall clock."""
    return LIVE in _clocks(connection)


def enter(connection: Connection, mode: str) -> None:
    """Let the store be in that mode, `replay` or `live`, in the caller's write transaction.

    Raises ValueError where a live store is to be a replay: its clock would go back.
    """
    if mode == "live":
        once = insert_for(connection)(sql.clock).values(name=LIVE, at=database_now(connection))
        connection.execute(once.on_conflict_do_nothing())
    elif is_live(connection):
        raise ValueError(
            "This store is live, and its clock cannot go back to a replay's: set PUSHBACK_MODE=live, or give the "
            "replay a state folder of its own."
        )


def move_clock(connection: Connection, at: int) -> None:
    """Say that everything is told up to `at`. It never goes back: an earlier time changes nothing."""
    insert = insert_for(connection)(sql.clock).values(name=TOLD, at=at)
    forward = insert.on_conflict_do_update(index_elements=["name"], set_={"at": at}, where=sql.clock.c.at < at)
    connection.execute(forward)


TOLD, LIVE = "data", "live"


def _clocks(connection: Connection) -> dict[str, int]:
    return {str(name): int(at) for name, at in _CLOCKS.rows(connection)}


_CLOCKS = Statement(select(sql.clock.c.name, sql.clock.c.at))
