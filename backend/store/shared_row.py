"""Documents in one row of a PostgreSQL, for installations whose processes share no folder."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, Text, bindparam, case, create_engine, inspect, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError

from backend.store import sql
from backend.store.shared import LOCK_SECONDS, DocumentsError, SharedStorage
from backend.store.statements import Statement

# Not among the tables of sql.py: DOCUMENTS_URL may name another database. `version` is another at each write.
_table = Table(
    "pushback_documents",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("content", Text, nullable=False),
)
NAME = "documents"
ADVISORY_LOCK = 7_285_225  # another number than that of migrations
# A process that freezes while it writes keeps the others waiting for so long, and what it did is undone.
FROZEN_SECONDS = 60
_PATIENCE = text(
    f"SELECT set_config('lock_timeout', '{LOCK_SECONDS}s', true),"
    f" set_config('idle_in_transaction_session_timeout', '{FROZEN_SECONDS}s', true)"
)
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_NEWER = Statement(
    select(_table.c.version, case((_table.c.version != bindparam("version"), _table.c.content))).where(
        _table.c.name == bindparam("name")
    )
)


class SharedRow(SharedStorage):
    """The row in the PostgreSQL at that URL. What is written under the lock is one transaction: an error undoes it."""

    def __init__(self, url: str) -> None:
        self._engine = sql.open_engine(url)
        # Every request reads: one exchange with the database each time, in no transaction, and with no question before.
        self._reading = create_engine(self._engine.url, isolation_level="AUTOCOMMIT", hide_parameters=True)
        self._mine = threading.local()
        self._known: tuple[str, dict[str, Any]] = ("", {})
        with _in_words(), self._engine.begin() as connection:
            if not inspect(connection).has_table(_table.name):
                connection.execute(_LOCK, {"key": ADVISORY_LOCK})
                _table.create(connection, checkfirst=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """As SharedStorage says."""
        if self._writing is not None:
            yield
            return
        with _in_words():
            connection = self._engine.connect()
        try:
            with _in_words():
                connection.execute(_PATIENCE)
                connection.execute(_LOCK, {"key": ADVISORY_LOCK})
            self._mine.connection = connection
            yield
            with _in_words():
                connection.commit()
        finally:
            self._mine.connection = None
            connection.close()

    @property
    def _writing(self) -> Connection | None:
        """The connection of this thread's transaction, inside `locked`."""
        return getattr(self._mine, "connection", None)

    def read(self) -> dict[str, dict[str, Any]] | None:
        """As SharedStorage says. The content comes over the network only where it is another than before."""
        with _in_words():
            if self._writing is not None:
                found = self._writing.execute(select(_table.c.content).where(_table.c.name == NAME)).scalar()
                return None if found is None else _parsed(found)
            version, parsed = self._known
            newest = self._newer_than(version)
        if not newest:
            return None
        ((newer, content),) = newest
        if content is not None:
            parsed = _parsed(content)
            self._known = (newer, parsed)
        return parsed

    def _newer_than(self, version: str) -> list[tuple[Any, ...]]:
        """The row's version, and its content where that is another one."""
        values = {"name": NAME, "version": version}
        try:
            with self._reading.connect() as connection:
                return _NEWER.rows(connection, values)
        except OperationalError:  # the database was started anew, and every connection to it is from before
            self._reading.dispose()
        with self._reading.connect() as connection:
            return _NEWER.rows(connection, values)

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """As SharedStorage says; others see it once the lock is given back."""
        if self._writing is None:
            raise RuntimeError("documents are written only under their lock: change tables, or use writing()")
        row = {"version": uuid.uuid4().hex, "content": json.dumps(data, ensure_ascii=False)}
        new = insert(_table).values(name=NAME, **row).on_conflict_do_update(index_elements=["name"], set_=row)
        with _in_words():
            self._writing.execute(new)

    def close(self) -> None:
        """Lets go of the database."""
        self._reading.dispose()
        self._engine.dispose()


def _parsed(content: str) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise DocumentsError(
            f"the row of {_table.name} is not JSON ({error}): put a copy of it back that is"
        ) from error
    return parsed


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":
            sentence = f"another process has been writing for {LOCK_SECONDS} s"
        else:
            sentence = "the PostgreSQL of DOCUMENTS_URL does not answer, or lets nobody read and write there"
        raise DocumentsError(sentence) from error
