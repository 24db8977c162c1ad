"""Statements of the path that every prediction takes: written in SQLAlchemy, compiled once, run by the driver itself.

What SQLAlchemy does around each execution takes ten times as long as SQLite's own look-up by a key.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

Values = Mapping[str, Any]
_NOTHING: Values = MappingProxyType({})


class _Compiled(NamedTuple):
    """The text for a driver; the `order` of its values where it takes them by place; the names of each value in a list;
    and the values that are part of the statement itself."""

    text: str
    order: Sequence[str] | None
    lists: Mapping[str, Sequence[str]]
    constants: Values


class Statement:
    """A statement whose values and columns need no conversion: integers, floats, texts, bytes, or nothing.

    It runs in the transaction that the connection is in; where there is none, on SQLite each is one of its own. Errors
    are raised as SQLAlchemy raises them.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}

    def rows(self, connection: Connection, values: Values = _NOTHING) -> list[tuple[Any, ...]]:
        """What it finds. A value that is a list is for an `IN`."""
        lists = [name for name, value in values.items() if isinstance(value, list)]
        if lists:
            values = {**values, **{name: _padded(values[name]) for name in lists}}
        compiled = self._for(connection, values, [(name, len(values[name])) for name in lists])
        return list(_run(connection, compiled, [_spread(values, compiled)]).fetchall())

    def scalar(self, connection: Connection, values: Values = _NOTHING) -> Any:
        """The first column of the first row, None where there is none."""
        found = self.rows(connection, values)
        return found[0][0] if found else None

    def run(self, connection: Connection) -> None:
        """Run it for its effect."""
        _run(connection, self._for(connection, _NOTHING, []), [_NOTHING])

    def change(self, connection: Connection, values: Sequence[Values]) -> int:
        """Run it for each of the values, of which there is one or more; returns how many rows changed."""
        compiled = self._for(connection, values[0], [])
        return int(_run(connection, compiled, values).rowcount)

    def _for(self, connection: Connection, values: Values, sizes: Sequence[Any]) -> _Compiled:
        key = (connection.dialect.name, *sizes)
        found = self._compiled.get(key)
        if found is None:
            compiled = self._statement.compile(dialect=connection.dialect)
            assert isinstance(compiled, SQLCompiler)
            state = compiled.construct_expanded_state(dict(values))
            constants = {name: value for name, value in compiled.params.items() if name not in values}
            found = _Compiled(state.statement, state.positiontup, state.parameter_expansion, constants)
            self._compiled[key] = found
        return found


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A write transaction as `sql.writing` has it, in a fifth of the time, for Statements alone."""
    with engine.connect() as connection:  # whose end rolls back what was not committed
        if connection.dialect.name == "sqlite":
            _BEGIN.run(connection)
        yield connection
        with _raised_by_sqlalchemy(connection, "COMMIT"):
            connection.connection.commit()


_BEGIN = Statement(text("BEGIN IMMEDIATE"))


def _padded(values: list[Any]) -> list[Any]:
    """The values with the last one repeated up to a power of two, so that there are few texts to compile."""
    values = values or [None]  # equal to nothing
    return values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))


def _spread(values: Values, compiled: _Compiled) -> Values:
    """The values with those of the statement itself, and a name for each of those that stand in a list."""
    if not compiled.lists and not compiled.constants:
        return values
    spread = {**compiled.constants, **values}
    for name, each in compiled.lists.items():
        spread.update(zip(each, spread.pop(name), strict=True))
    return spread


def _run(connection: Connection, compiled: _Compiled, values: Sequence[Values]) -> Any:
    order = compiled.order
    given: Sequence[Any] = values if order is None else [[each[name] for name in order] for each in values]
    cursor = connection.connection.cursor()
    with _raised_by_sqlalchemy(connection, compiled.text):
        if len(given) == 1:
            cursor.execute(compiled.text, given[0])
        else:
            cursor.executemany(compiled.text, given)
    return cursor


@contextmanager
def _raised_by_sqlalchemy(connection: Connection, statement: str) -> Iterator[None]:
    dialect = connection.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(statement, None, error, dialect.loaded_dbapi.Error, dialect=dialect) from error
