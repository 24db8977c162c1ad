"""A log file that many processes write to and that is put aside when it is full: bounded, and no line is lost."""

import errno
import fcntl
import itertools
import os
from pathlib import Path


class RotatedFile:
    """`path`, and up to `older` files that were full: `path.1` is the newest of them.

    Each line is one write at the file's end, which processes cannot tear from each other. Who finds the file full moves
    it aside under a lock; who held it open sees that at its next line, and one line that was on its way still lands in
    what is now `path.1`. Callers in one process take turns (a logging handler does that).
    """

    def __init__(self, path: Path, most_bytes: int, older: int) -> None:
        self.path = path
        self._most_bytes = most_bytes
        self._older = older
        self._handle: int | None = None
        self._identity: tuple[int, int] | None = None
        self._torn = False

    def write(self, line: bytes) -> None:
        """Adds the line, which ends with a newline. Raises OSError where there is no room for it, or no right."""
        if self._is_full_for(line):
            self._rotate(line)
        assert self._handle is not None
        whole = b"\n" + line if self._torn else line
        written = os.write(self._handle, whole)
        self._torn = written < len(whole)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def close(self) -> None:
        """Lets go of the file; a later `write` opens it again."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle, self._identity = None, None

    def _size(self) -> int:
        """How many bytes stand in the file at `path`, which is the one that is open afterwards."""
        try:
            status = os.stat(self.path)  # noqa: PTH116  # three times as fast, before every line
            if (status.st_dev, status.st_ino) == self._identity:
                return status.st_size
        except FileNotFoundError:
            pass  # it has just been moved aside, or a person has deleted it
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        status = os.fstat(self._handle)
        self._identity = (status.st_dev, status.st_ino)
        return status.st_size

    def _is_full_for(self, line: bytes) -> bool:
        size = self._size()
        return size > 0 and size + len(line) > self._most_bytes

    def _rotate(self, line: bytes) -> None:
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_full_for(line):  # another process may have been first
                names = [self.path, *(Path(f"{self.path}.{number}") for number in range(1, self._older + 1))]
                for newer, older in reversed(list(itertools.pairwise(names))):
                    if newer.exists():
                        newer.replace(older)
                self._size()
        finally:
            os.close(lock)
