"""Figures of the answers by day and window, each row the newest word on its slice."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from backend.store import pages, sql
from backend.store.events import insert_for
from backend.store.pages import Order, Page

table = sql.performance.c
ORDER = Order("performance", table.id, {"day": table.day})
KEY = ("day", "span", "lead_minutes", "slice", "value")


class Wanted(NamedTuple):
    """Which rows: of days from `since` on and before `until` (YYYY-MM-DD); None where any will do."""

    since: str | None = None
    until: str | None = None
    span: str | None = None
    lead_minutes: int | None = None
    slice: str | None = None
    value: str | None = None


def record(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, each in place of the one about the same slice if there is one."""
    if not rows:
        return
    insert = insert_for(connection)(sql.performance)
    changed = {name: insert.excluded[name] for name in rows[0] if name not in KEY}
    connection.execute(insert.on_conflict_do_update(index_elements=list(KEY), set_=changed), list(rows))


def listing(connection: Connection, page: Page, wanted: Wanted) -> tuple[Sequence[Row[Any]], str | None]:
    """A page of rows and the cursor of the next. Raises CursorError."""
    statement = select(sql.performance)
    for name in ("span", "lead_minutes", "slice", "value"):
        if getattr(wanted, name) is not None:
            statement = statement.where(table[name] == getattr(wanted, name))
    if wanted.since is not None:
        statement = statement.where(table.day >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(table.day < wanted.until)
    return pages.cut(connection, statement, ORDER, page)


def complete_days(connection: Connection, since: str) -> dict[str, int]:
    """The days from `since` on whose figures are complete, each with the newest outcome that is in them."""
    rows = select(table.day, table.seq).where(
        table.span == "day", table.slice == "all", table.complete.is_(True), table.day >= since
    )
    found: dict[str, int] = {}
    for day, seq in connection.execute(rows):
        found[day] = max(seq, found.get(day, 0))
    return found


def newest(connection: Connection, span: str, lead_minutes: int) -> Row[Any] | None:
    """The newest complete row of all flights in that span at that lead time, or None."""
    mine = (table.span == span, table.lead_minutes == lead_minutes, table.slice == "all", table.complete.is_(True))
    return connection.execute(select(sql.performance).where(*mine).order_by(table.day.desc()).limit(1)).first()


def newest_windows(connection: Connection) -> Sequence[Row[Any]]:
    """The rows of all flights in the trailing windows that ended with the newest complete day, at each lead time."""
    whole = (table.span != "day", table.slice == "all", table.complete.is_(True))
    newest = select(table.day).where(*whole).order_by(table.day.desc()).limit(1).scalar_subquery()
    return connection.execute(select(sql.performance).where(*whole, table.day == newest)).fetchall()
