"""Files by name (bundles, reports, uploads, results) in a folder or a bucket: whatever fsspec can open."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

import fsspec


class Blobs:
    """Bytes under names like `bundles/7.zip`, below one root folder or URL."""

    def __init__(self, root: str) -> None:
        self._files, self._root = fsspec.core.url_to_fs(root)
        # A folder of this machine is written by hand: fsspec waits for no disk, and makes no temporary file beside.
        self._folder = Path(self._root) if "file" in self._files.protocol else None

    def write(self, name: str, content: bytes) -> None:
        """Store bytes under a name; whoever reads meanwhile sees the old bytes or the new ones, never half of them."""
        if self._folder is None:
            self._files.pipe_file(f"{self._root}/{name}", content)  # object stores replace an object at once
            return
        with self.writing(name) as handle:
            handle.write(content)

    def writing(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A file to write what is too large for memory. It gets its name when the block ends, and is on the disk then;
        where the block raises, nothing of it stays."""
        temporary = f"{name}.{uuid.uuid4().hex}"
        if self._folder is not None:
            return _in_folder(self._folder / temporary, self._folder / name)
        return self._in_bucket(temporary, name)

    @contextmanager
    def _in_bucket(self, temporary: str, name: str) -> Iterator[IO[bytes]]:
        try:
            with self._files.open(f"{self._root}/{temporary}", "wb") as handle:
                yield handle
            self._files.mv(f"{self._root}/{temporary}", f"{self._root}/{name}")
        except BaseException:
            self.delete(temporary)
            raise

    def read(self, name: str) -> bytes:
        """The bytes under a name. Raises FileNotFoundError."""
        return bytes(self._files.cat_file(f"{self._root}/{name}"))

    def open(self, name: str) -> IO[bytes]:
        """What is under a name, to read it in parts. Raises FileNotFoundError."""
        handle: IO[bytes] = self._files.open(f"{self._root}/{name}", "rb")
        return handle

    def size(self, name: str) -> int:
        """How many bytes are under a name. Raises FileNotFoundError."""
        return int(self._files.size(f"{self._root}/{name}"))

    def free_bytes(self) -> int | None:
        """How much more fits on the disk, or None for a bucket, which has no end."""
        if self._folder is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._folder).free

    def below(self, name: str) -> dict[str, float]:
        """The full names of the files under `name/`, each with when it was last changed (epoch seconds)."""
        try:
            found = self._files.find(f"{self._root}/{name}")
        except FileNotFoundError:
            return {}
        changed = {}
        for path in found:
            try:
                changed[path.removeprefix(f"{self._root}/")] = self._files.modified(path).timestamp()
            except FileNotFoundError:
                continue  # deleted since
        return changed

    def delete(self, name: str) -> None:
        """Deletes one file, or a name with everything below it. One that is not there is deleted already."""
        if self._folder is None:
            if self._files.exists(f"{self._root}/{name}"):
                self._files.rm(f"{self._root}/{name}", recursive=True)
            return
        path = self._folder / name
        if path.is_dir():
            for inside in list(path.iterdir()):
                self.delete(f"{name}/{inside.name}")
            _remove_if_empty(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _in_folder(temporary: Path, path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        _remove_if_empty(path.parent)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name too is to survive a power cut
    finally:
        os.close(folder)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
