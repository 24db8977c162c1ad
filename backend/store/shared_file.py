"""Documents in a JSON file, which is replaced as a whole under a lock file, and parsed again only when another one
stands in its place."""

import copy
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from backend.store.shared import LOCK_SECONDS, DocumentsError, SharedStorage


class SharedFile(SharedStorage):
    """The file of that name, which need not exist yet. Whoever may read it is its owner."""

    def __init__(self, path: Path | str) -> None:
        self.path = path = Path(path)
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
        """As SharedStorage says."""
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
        """As SharedStorage says."""
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
        """As SharedStorage says."""
        if not self.lock.is_locked:
            raise RuntimeError(f"{self.path} is written only under its lock: change tables, or use writing()")
        new = self.path.with_name(self.path.name + ".new")  # one name: what a killed writer left is overwritten
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        except OSError as error:  # a full disk, or one that may not be written to
            raise DocumentsError(f"{self.path} cannot be written ({error.strerror}), and is as it was") from error
        sync_folder(self.path.parent)

    def close(self) -> None:
        """Lets go of the file."""
        with self._swap:
            self._forget()


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
