"""Accounts and settings in TinyDB, which many processes may read and write at once, and which survive kill -9.

Stock TinyDB loses everything when two processes write (FACTS: ids counted per process, a query cache that goes stale,
a file written in place). Here every change is read, made and written under one lock; ids are UUIDs; nothing that was
read before is trusted unless it is still what is stored. They are one file, or a row of a PostgreSQL.
"""

import copy
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinydb import TinyDB
from tinydb.table import Document as TinyDocument
from tinydb.table import Table

from backend.store.shared import SharedStorage
from backend.store.shared_file import SharedFile


class Document(TinyDocument):
    """A document of one's own: changing what was read changes nothing that another reader sees."""

    def __init__(self, value: Mapping[str, Any], doc_id: Any) -> None:
        super().__init__(copy.deepcopy(dict(value)), doc_id)


class SharedTable(Table):
    """A table whose changes are whole under the lock, with UUIDs as ids and no cache of queries."""

    document_class = Document
    document_id_class = str  # type: ignore[assignment]

    def __init__(self, storage: SharedStorage, name: str) -> None:
        super().__init__(storage, name, cache_size=0)
        self.shared = storage

    def _get_next_id(self) -> str:
        return str(uuid.uuid4())

    def _update_table(self, updater: Callable[[dict[Any, Mapping[str, Any]]], None]) -> None:
        with self.shared.locked():
            super()._update_table(updater)

    def upsert(self, document: Mapping[str, Any], cond: Any = None) -> list[Any]:
        """TinyDB's upsert, as one change."""
        with self.shared.locked():
            return super().upsert(document, cond)


class Documents(TinyDB):
    """The document store. `table(name)` is TinyDB's; `writing()` makes several steps one change."""

    table_class = SharedTable  # type: ignore[assignment]

    def __init__(self, place: Path | str) -> None:
        super().__init__(place, storage=_storage(place))
        self.shared: SharedStorage = self.storage  # type: ignore[assignment]

    def table(self, name: str, **kwargs: Any) -> SharedTable:
        """The table of that name, which need not exist yet."""
        return super().table(name, **kwargs)  # type: ignore[return-value]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else changes a document in here, so that what is read in here may be relied on.

        What was written before an error may stay.
        """
        with self.shared.locked():
            yield

    def drop_table(self, name: str) -> None:
        """Removes a table and its documents."""
        with self.writing():
            super().drop_table(name)

    def drop_tables(self) -> None:
        """Removes everything."""
        with self.writing():
            super().drop_tables()


def _storage(place: Path | str) -> type[SharedStorage]:
    if not str(place).startswith("postgresql://"):
        return SharedFile
    # Imported here, since a file needs no SQLAlchemy.
    from backend.store.shared_row import SharedRow  # pylint: disable=import-outside-toplevel

    return SharedRow


def open_documents(place: Path | str) -> Documents:
    """The document store in that file, which need not exist yet, or in the PostgreSQL at that URL.

    Make it after a fork, one a process. Raises DocumentsError.
    """
    return Documents(place)
