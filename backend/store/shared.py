"""What the document store asks of the place where its documents are: to read and write them all, one at a time."""

from contextlib import AbstractContextManager
from typing import Any

from tinydb.storages import Storage

LOCK_SECONDS = 30  # for another process that writes


class DocumentsError(RuntimeError):
    """The documents cannot be used: the sentence says why, and what to do. Never the fault of a value in a request."""


class SharedStorage(Storage):
    """A storage for several processes and threads. Every method may raise DocumentsError."""

    def locked(self) -> AbstractContextManager[None]:
        """Nobody else writes in here. May be nested."""
        raise NotImplementedError

    def read(self) -> dict[str, dict[str, Any]] | None:
        """The newest state, or None before the first write; one's own copy inside `locked`, where it is about to be
        changed."""
        raise NotImplementedError

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Replaces everything: whoever reads, and whatever dies, sees the old state or the new one. Needs `locked`."""
        raise NotImplementedError
