"""Files by name (bundles, reports, results) in a folder or a bucket: whatever fsspec can open."""

import os
import uuid
from pathlib import Path

import fsspec


class Blobs:
    """Bytes under names like `bundles/7.zip`, below one root folder or URL."""

    def __init__(self, root: str) -> None:
        self._files, self._root = fsspec.core.url_to_fs(root)

    def write(self, name: str, content: bytes) -> None:
        """Store bytes under a name; whoever reads meanwhile sees the old bytes or the new ones, never half of them."""
        if "file" not in self._files.protocol:
            self._files.pipe_file(f"{self._root}/{name}", content)  # object stores replace an object at once
            return
        path = Path(self._root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)

    def read(self, name: str) -> bytes:
        """The bytes under a name. Raises FileNotFoundError."""
        return bytes(self._files.cat_file(f"{self._root}/{name}"))
