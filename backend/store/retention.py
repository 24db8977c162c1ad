"""Deletes what is past its time, a few hundred rows at once, so that who writes waits for a moment at most.

Facts, figures, deployments and decisions are never touched. What is past its time stays so: to delete it twice does no
harm.
"""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Column, Connection, Delete, Engine, delete, or_, select

from backend.store import api_tokens, receipts, sql
from backend.store.jobs import UNFINISHED

ROWS = 500  # of a transaction
PAGES = 500  # of an SQLite file, 4 KiB each, that a transaction gives back

Part = Callable[[Connection], int]  # deletes ROWS at most in the caller's write transaction, and says how many


def answers(before: int, asked_before: int) -> Part:
    """Logged answers as of a moment before that one; of those about the past, the ones asked before the other."""
    said = sql.predictions.c
    old = (said.as_of < before, or_(said.past.is_(False), said.asked_at < asked_before))
    return _part(said.id, *old)


def ended_jobs(before: int) -> Part:
    """Jobs that ended before then."""
    said = sql.jobs.c
    return _part(said.id, said.state.not_in(UNFINISHED), said.ended_at < before)


def over_sessions(now: int) -> Part:
    """Sessions, and families of refresh tokens, that are over."""
    return _part(sql.sessions.c.id_hash, sql.sessions.c.expires_at <= now)


def over_api_tokens(now: int) -> Part:
    """API tokens that are over, and no longer shown either."""
    table = sql.api_tokens
    return _part(table.c.id, table.c.expires_at <= now - api_tokens.SHOWN_SECONDS)


def closed_counters(now: int) -> Part:
    """Counts whose window has closed."""
    return _part(sql.counters.c.key, sql.counters.c.ends_at <= now)


def old_receipts(now: int) -> Part:
    """Receipts that nobody is given any more."""
    table = sql.receipts
    old = select(table.c.account, table.c.key).where(table.c.created_at <= now - receipts.KEPT_FOR).limit(ROWS)

    def delete_some(connection: Connection) -> int:
        gone = 0
        for account, key in connection.execute(old).all():
            gone += connection.execute(delete(table).where(table.c.account == account, table.c.key == key)).rowcount
        return gone

    return delete_some


def _part(key: Column[Any], *old: Any) -> Part:
    some = select(key).where(*old).limit(ROWS).with_for_update(skip_locked=True)
    statement: Delete = delete(key.table).where(key.in_(some))
    return lambda connection: int(connection.execute(statement).rowcount)


def give_back(engine: Engine, tables: Collection[str], in_parts: Callable[[Part], int]) -> int:
    """Lets the database use the room of what was deleted from those tables; the bytes by which an SQLite file shrinks.

    An SQLite file gives its free pages back a few at a time: a whole VACUUM would write everything anew and hold the
    one write lock for as long. PostgreSQL's VACUUM locks nobody out, and keeps the room for rows to come.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            page = int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())
        return page * in_parts(_free_pages)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in sorted(tables):
            connection.exec_driver_sql(f"VACUUM {sql.metadata.tables[table].name}")
    return 0


def _free_pages(connection: Connection) -> int:
    free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    for _ in range(min(PAGES, free)):  # a step of Python's driver is one page
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    return int(pages - connection.exec_driver_sql("PRAGMA page_count").scalar_one())
