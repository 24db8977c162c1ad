"""Accounts and settings in one TinyDB file that many processes may read and write at once, and that survives kill -9.

Stock TinyDB loses everything when two processes write (FACTS: ids counted per process, a query cache that goes stale,
a file written in place). Here every change is read, made and written under one lock file; ids are UUIDs; nothing that
was read before is trusted unless the file is still the same one.
"""

import copy
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tinydb import TinyDB
from tinydb.storages import Storage
from tinydb.table import Document as TinyDocument
from tinydb.table import Table

LOCK_SECONDS = 30.0


class DocumentsError(ValueError):
    """The documents cannot be used: the sentence says why, and what to do."""


class Document(TinyDocument):
    """A document of one's own: changing what was read changes nothing that another reader sees."""

    def __init__(self, value: Mapping[str, Any], doc_id: Any) -> None:
        super().__init__(copy.deepcopy(dict(value)), doc_id)


class SharedFile(Storage):
    """The JSON file behind the store: replaced as a whole, parsed again only when another file stands in its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(
            f"{path}.lock", mode=0o600, poll_interval=0.005, fallback_to_soft=False, preserve_lock_file=True
        )
        self._swap = threading.Lock()
        self._handle: int | None = None
        self._identity: tuple[int, int, int, int] | None = None
        self._parsed: dict[str, Any] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes in here. May be nested. Raises DocumentsError where another keeps it for 30 s."""
        try:
            self.lock.acquire(timeout=LOCK_SECONDS)
        except Timeout as error:
            raise DocumentsError(
                f"{self.lock.lock_file} has been held by another process for {LOCK_SECONDS} s"
            ) from error
        try:
            yield
        finally:
            self.lock.release()

    def read(self) -> dict[str, dict[str, Any]] | None:
        """The newest state; one's own copy inside `locked`, where it is about to be changed."""
        with self._swap:
            if _identity(self.path) != self._identity or self._identity is None:
                self._load()
            return copy.deepcopy(self._parsed) if self.lock.is_locked else self._parsed

    def _load(self) -> None:
        # The handle stays open while its content is in use: an inode that is open cannot be given to another file, so
        # the same inode is the same file even where two writes fall into one tick of the file system's clock.
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._forget()
            return
        with os.fdopen(handle, encoding="utf-8", closefd=False) as file:
            status = os.fstat(handle)
            try:
                parsed = json.load(file)
            except ValueError as error:
                os.close(handle)
                raise DocumentsError(f"{self.path} is not JSON ({error}): put a copy of it back that is") from error
        self._forget()
        self._handle = handle
        self._identity = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        self._parsed = parsed

    def _forget(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
        self._handle, self._identity, self._parsed = None, None, None

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Replaces the file: whoever reads, and whatever dies, sees the old one or the new one. Needs `locked`."""
        if not self.lock.is_locked:
            raise RuntimeError(f"{self.path} is written only under its lock: change tables, or use writing()")
        new = self.path.with_name(self.path.name + ".new")  # one name: what a killed writer left is overwritten
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        sync_folder(self.path.parent)

    def close(self) -> None:
        """Lets go of the file."""
        with self._swap:
            self._forget()


class SharedTable(Table):
    """A table whose changes are whole under the lock, with UUIDs as ids and no cache of queries."""

    document_class = Document
    document_id_class = str  # type: ignore[assignment]

    def __init__(self, storage: SharedFile, name: str) -> None:
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

    def __init__(self, path: Path) -> None:
        super().__init__(path, storage=SharedFile)
        self.shared: SharedFile = self.storage  # type: ignore[assignment]

    def table(self, name: str, **kwargs: Any) -> SharedTable:
        """The table of that name, which need not exist yet."""
        return super().table(name, **kwargs)  # type: ignore[return-value]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else changes a document in here, so that what is read in here may be relied on. Not a rollback."""
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


def open_documents(path: Path) -> Documents:
    """The document store in that file, which need not exist yet. Make it after a fork, one a process."""
    return Documents(path)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
