"""Leases: one holder of a name, by the database's clock, until it gives it back or says nothing for a while."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select

from backend.store import sql
from backend.store.events import insert_for
from backend.store.jobs import database_now

table = sql.leases


class Lease(NamedTuple):
    """Who holds it, until when (epoch seconds) if nothing more is heard, and what it last said."""

    holder: str
    until: int
    said: dict[str, Any]


def take(connection: Connection, name: str, holder: str, seconds: int, said: dict[str, Any]) -> Lease:
    """Take the lease or hold it on, in the caller's write transaction. Returns the lease as it is then: somebody else's
    where another one holds it."""
    now = database_now(connection)
    values = {"name": name, "holder": holder, "until": now + seconds, "said": said}
    insert = insert_for(connection)(table).values(values)
    free = (table.c.holder == holder) | (table.c.until < now)
    changed = {column: insert.excluded[column] for column in ("holder", "until", "said")}
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=changed, where=free))
    row = connection.execute(select(table).where(table.c.name == name)).one()
    return Lease(row.holder, row.until, row.said)


def give_back(connection: Connection, name: str, holder: str) -> None:
    """Let the lease be free, if that one holds it."""
    connection.execute(delete(table).where(table.c.name == name, table.c.holder == holder))


def held(connection: Connection, name: str) -> Lease | None:
    """The lease as it is held now, or None."""
    row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    if row is None or row.until < database_now(connection):
        return None
    return Lease(row.holder, row.until, row.said)
