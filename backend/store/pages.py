"""Lists in pages: one way to sort, to cut and to continue them, for every table.

A cursor says after which row a page goes on: rows that are added meanwhile move nothing, and no row comes twice.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, literal, tuple_

Value = int | float | str

_LARGEST = 2**63  # what a database takes as an integer
_DIGEST_BYTES = 6


class CursorError(ValueError):
    """A text that is no cursor of this list in this order."""


class Page(NamedTuple):
    """Which part of a list: `sort` names a field of its order, `-` before it turns it round."""

    sort: str
    limit: int
    cursor: str | None = None


@dataclass(frozen=True)
class Order:
    """How one list can be sorted. `fields` are columns by the name that callers use, none of them ever NULL, with the
    type of their values; rows that are equal there come in the order of `key`, which is unique."""

    name: str
    key: ColumnElement[Any]
    fields: Mapping[str, ColumnElement[Any]]

    def columns(self, sort: str) -> list[ColumnElement[Any]]:
        """What rows are sorted by. Raises KeyError for a field that the list is not sorted by."""
        column = self.fields[sort.removeprefix("-")]
        return [column] if column is self.key else [column, self.key]


def cut(
    connection: Connection, statement: Select[Any], order: Order, page: Page
) -> tuple[Sequence[Row[Any]], str | None]:
    """The rows of that page of a statement, and the cursor of the next one, None where nothing follows.

    Raises CursorError.
    """
    columns, falls = order.columns(page.sort), page.sort.startswith("-")
    if page.cursor is not None:
        values = _values(order, page, columns)
        here, there = tuple_(*columns), tuple_(*(literal(*pair) for pair in zip(values, _types(columns), strict=True)))
        statement = statement.where(here < there if falls else here > there)
    places = [column.label(f"place_{number}") for number, column in enumerate(columns)]
    statement = statement.add_columns(*places)
    statement = statement.order_by(*(column.desc() if falls else column.asc() for column in columns))
    rows = connection.execute(statement.limit(page.limit + 1)).all()
    if len(rows) <= page.limit:
        return rows, None
    last = rows[page.limit - 1]
    return rows[: page.limit], _written(order.name, page.sort, [getattr(last, place.name) for place in places])


def cut_list(
    rows: Sequence[Mapping[str, Any]], name: str, key: str, page: Page
) -> tuple[list[Mapping[str, Any]], str | None]:
    """The same for rows that are in memory, sorted by one field, which is unique. Raises CursorError."""
    falls = page.sort.startswith("-")
    found = sorted(rows, key=lambda row: row[key], reverse=falls)
    if page.cursor is not None:
        (after,) = _read(name, page.sort, page.cursor, [type(row[key]) for row in rows[:1]] or [str])
        found = [row for row in found if (row[key] < after if falls else row[key] > after)]
    if len(found) <= page.limit:
        return found, None
    return found[: page.limit], _written(name, page.sort, [found[page.limit - 1][key]])


def _written(name: str, sort: str, values: Sequence[Value]) -> str:
    said = json.dumps([sort, *values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(name, said) + said).decode().rstrip("=")


def _digest(name: str, said: bytes) -> bytes:
    """Tells a cursor that was cut, changed or taken from another list. It is no secret: a cursor opens nothing."""
    return hashlib.blake2b(said, digest_size=_DIGEST_BYTES, person=name.encode()[:16]).digest()


def _types(columns: Sequence[ColumnElement[Any]]) -> list[Any]:
    return [column.type for column in columns]


def _values(order: Order, page: Page, columns: Sequence[ColumnElement[Any]]) -> list[Value]:
    assert page.cursor is not None
    return _read(order.name, page.sort, page.cursor, [column.type.python_type for column in columns])


def _read(name: str, sort: str, text: str, types: Sequence[type]) -> list[Value]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        digest, said = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        known_sort, *values = json.loads(said) if digest == _digest(name, said) else ("",)
    except ValueError as error:  # of base64, of JSON and of its UTF-8
        raise CursorError("is no cursor: give the `next` of the page before") from error
    if known_sort != sort or text != _written(name, sort, values):
        raise CursorError("is no cursor of this list in this order: give the `next` of the page before")
    if len(values) != len(types) or not all(map(_fits, values, types)):
        raise CursorError("is no cursor of this list: give the `next` of the page before")
    return values


def _fits(value: Any, wanted: type) -> bool:
    """Whether the database can compare it: a digest is no secret, so that what it covers may still be anything."""
    if wanted is str:
        return isinstance(value, str) and value.isprintable()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (isinstance(value, int) or wanted is float) and abs(value) < _LARGEST
