"""What back-tests said of retraining policies: a row for each policy of each back-test, never changed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from backend.store import pages, sql
from backend.store.pages import Order, Page

table = sql.policies.c
ORDER = Order("policies", table.id, {"id": table.id})


def record(
    connection: Connection, backtest: str, at: int, actor: str, months: tuple[str, str], said: Sequence[dict[str, Any]]
) -> None:
    """Write a back-test of those months (first and last), with what was said of each policy.

    `at` is the wall clock's time, in epoch seconds. A back-test that is there already is left as it is.
    """
    if of(connection, backtest):
        return
    about = {"backtest": backtest, "at": at, "actor": actor, "first": months[0], "last": months[1]}
    rows = [about | {"policy": one["policy"], "said": one} for one in said]
    connection.execute(insert(sql.policies), rows)


def of(connection: Connection, backtest: str) -> Sequence[Row[Any]]:
    """The rows of one back-test, in the order in which its policies were asked for."""
    return connection.execute(select(sql.policies).where(table.backtest == backtest).order_by(table.id)).fetchall()


def listing(
    connection: Connection, page: Page, backtest: str | None, policy: str | None
) -> tuple[Sequence[Row[Any]], str | None]:
    """A page of rows of one back-test or of all, of one policy or of all, and the cursor of the next.

    Raises CursorError.
    """
    statement = select(sql.policies)
    for column, wanted in ((table.backtest, backtest), (table.policy, policy)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return pages.cut(connection, statement, ORDER, page)
