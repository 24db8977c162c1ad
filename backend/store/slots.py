"""Work that is due at a time of the data clock (a slot), each (name, slot) once: rows of our own, which outlive all.

A slot is `due` when it is planned, `ready` once the clock wants to pass it, `queued` with its job, and then what became
of that: `done`, `failed`, `cancelled`, or without one `declined` or `skipped`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, select, update

from backend.store import sql
from backend.store.events import insert_for

OPEN = ("due", "ready", "queued")
table, plans = sql.slots, sql.schedules


class Slot(NamedTuple):
    """One piece of work: its schedule, when it is due (epoch seconds), its state, its job, and the job's own state."""

    name: str
    slot: int
    state: str
    job: str | None
    job_state: str | None


class Plan(NamedTuple):
    """A schedule as it was planned last, up to `planned_until` (epoch seconds)."""

    name: str
    cron: str
    time_zone: str
    planned_until: int


def unfinished(connection: Connection) -> list[Slot]:
    """What is due, ready or queued, by slot."""
    return _slots(connection, table.c.state.in_(OPEN))


def newest(connection: Connection) -> dict[str, Slot]:
    """For each schedule the newest slot that is over, or whose job is queued."""
    over = table.c.state.not_in(("due", "ready"))
    last = select(table.c.name, func.max(table.c.slot).label("slot")).where(over).group_by(table.c.name).subquery()
    found = _slots(connection, (table.c.name == last.c.name) & (table.c.slot == last.c.slot), last)
    return {each.name: each for each in found}


def _slots(connection: Connection, wanted: Any, *others: Any) -> list[Slot]:
    query = select(table.c.name, table.c.slot, table.c.state, table.c.job, sql.jobs.c.state)
    rows = query.select_from(table.outerjoin(sql.jobs, sql.jobs.c.id == table.c.job), *others).where(wanted)
    return [Slot(*row) for row in connection.execute(rows.order_by(table.c.slot, table.c.name))]


def limit(connection: Connection) -> int | None:
    """How far the data clock may go: to the next slot that is not over, or to where nothing is planned yet."""
    slot = connection.scalar(select(func.min(table.c.slot)).where(table.c.state.in_(OPEN)))
    planned = connection.scalar(select(func.min(plans.c.planned_until)))
    return min((each for each in (slot, planned) if each is not None), default=None)


def release(connection: Connection, now: int) -> None:
    """The clock wants to pass `now`: what is due by then is ready. In the caller's write transaction, as all below."""
    change = update(table).where(table.c.state == "due", table.c.slot <= now)
    connection.execute(change.values(state="ready"))


def become(connection: Connection, slot: Slot, state: str, job: str | None = None) -> None:
    """Let a slot be in that state, with that job where it has one now."""
    mine = (table.c.name == slot.name, table.c.slot == slot.slot)
    connection.execute(update(table).where(*mine).values(state=state, job=job or slot.job))


def occupy(connection: Connection, name: str, slot: int, job: str) -> None:
    """Let a job that nobody had planned be what is done in that slot, so that the clock waits for it."""
    values = {"name": name, "slot": slot, "state": "queued", "job": job}
    insert = insert_for(connection)(table).values(values)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["name", "slot"], set_={"state": "queued", "job": job})
    )


def planned(connection: Connection) -> dict[str, Plan]:
    """What is planned, by the schedule's name."""
    return {row.name: Plan(*row) for row in connection.execute(select(plans))}


def plan(connection: Connection, new: Plan, moments: Sequence[int]) -> None:
    """Let those moments be due, and the schedule be planned like that."""
    insert = insert_for(connection)
    changed = {name: getattr(new, name) for name in ("cron", "time_zone", "planned_until")}
    written = insert(plans).values(new._asdict())
    connection.execute(written.on_conflict_do_update(index_elements=["name"], set_=changed))
    rows = [{"name": new.name, "slot": moment, "state": "due"} for moment in moments]
    if rows:
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def forget(connection: Connection, names: Iterable[str]) -> None:
    """Let schedules be off, or be planned anew: what was due and has not begun is not due any more."""
    wanted = list(names)
    connection.execute(delete(table).where(table.c.name.in_(wanted), table.c.state.in_(("due", "ready"))))
    connection.execute(delete(plans).where(plans.c.name.in_(wanted)))
