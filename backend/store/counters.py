"""Counters that all processes share, in the database: what the library `limits` counts with.

A row counts one thing in one window. Its key is a SHA-256: what is counted may be what somebody typed.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from limits.storage import Storage
from sqlalchemy import Connection, Engine, case, delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from backend.store import sql
from backend.store.events import insert_for

table = sql.counters


class Counters(Storage):
    """The storage of `limits` over an engine. `now` is the clock of windows, in epoch seconds."""

    STORAGE_SCHEME = None

    def __init__(self, engine: Engine, now: Callable[[], int], connection: Connection | None = None) -> None:
        super().__init__()
        self._engine = engine
        self._now = now
        self._connection = connection

    @contextmanager
    def together(self) -> Iterator["Counters"]:
        """The same counters in one write transaction, which is undone where an error leaves it."""
        with sql.writing(self._engine) as connection:
            yield Counters(self._engine, self._now, connection)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a database raises; it is passed on as it is."""
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Counts, in the window that is open or in a new one of `expiry` seconds; the count after it."""
        now = self._now()
        over = table.c.ends_at <= now
        with self._writing() as connection:
            new = insert_for(connection)(table).values(key=_hash(key), hits=amount, ends_at=now + expiry)
            counted = new.on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "hits": case((over, new.excluded.hits), else_=table.c.hits + new.excluded.hits),
                    "ends_at": case((over, new.excluded.ends_at), else_=table.c.ends_at),
                },
            )
            return int(connection.execute(counted.returning(table.c.hits)).scalar_one())

    def give_back(self, key: str) -> None:
        """Takes one from a count whose window is still open."""
        mine = (table.c.key == _hash(key), table.c.ends_at > self._now(), table.c.hits > 0)
        with self._writing() as connection:
            connection.execute(update(table).where(*mine).values(hits=table.c.hits - 1))

    def get(self, key: str) -> int:
        """The count in the window that is open, or 0."""
        return self._row(key)[0]

    def get_expiry(self, key: str) -> float:
        """When the window that is open ends, or now."""
        return self._row(key)[1]

    def seconds_left(self, key: str) -> int:
        """How long the window that is open lasts, at least a second: what `Retry-After` says."""
        return max(1, self._row(key)[1] - self._now())

    def clear(self, key: str) -> None:
        """Forgets a count."""
        with self._writing() as connection:
            connection.execute(delete(table).where(table.c.key == _hash(key)))

    def reset(self) -> int:
        """Forgets all counts; how many there were."""
        with self._writing() as connection:
            return connection.execute(delete(table)).rowcount

    def check(self) -> bool:
        """Whether the counters can be read."""
        try:
            self._row("")
        except SQLAlchemyError:
            return False
        return True

    def forget_ended(self) -> None:
        """Deletes windows that ended, but none that somebody else counts in at this moment.

        It waits for nobody, so that at the end of a transaction it cannot lead to a deadlock.
        """
        ended = select(table.c.key).where(table.c.ends_at <= self._now()).with_for_update(skip_locked=True)
        with self._writing() as connection:
            connection.execute(delete(table).where(table.c.key.in_(ended)))

    def _row(self, key: str) -> tuple[int, int]:
        query = select(table.c.hits, table.c.ends_at).where(table.c.key == _hash(key), table.c.ends_at > self._now())
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return (0, self._now()) if row is None else (row.hits, row.ends_at)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._connection is not None:
            yield self._connection
            return
        with sql.writing(self._engine) as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._connection is not None:
            yield self._connection
            return
        with self._engine.connect() as connection:
            yield connection


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
