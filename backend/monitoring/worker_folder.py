"""The folder in which the API's worker processes count, so that any of them can tell the figures of all.

It belongs to one server and goes with it. It lies in memory where there is room: a file that is mapped into memory
on a full disk would kill its process.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it when it is imported
IN_MEMORY = Path("/dev/shm")  # noqa: S108
ROOM_BYTES = 32 * 1024 * 1024
_NAME = f"pushback-metrics-{os.getuid()}-"


class WorkerFolder:
    """The folder of the server that runs in this process. While that or a worker of it lives, it is locked."""

    def __init__(self) -> None:
        self.path: Path | None = None

    def make(self) -> None:
        """Make it, empty, and name it to the workers that are started from now on; what killed servers left is removed.

        Raises RuntimeError where prometheus_client is imported already: its figures would stay in this process.
        """
        if "prometheus_client" in sys.modules:
            raise RuntimeError(
                "prometheus_client was imported before its workers' folder was made: do without --preload"
            )
        parent = _parent()
        for left in parent.glob(f"{_NAME}*"):
            if _locked(left) is not None:
                shutil.rmtree(left, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix="pushback-", dir=parent))
        _locked(made)
        self.path = made.rename(parent / made.name.replace("pushback-", _NAME))  # only now does another server see it
        os.environ[VARIABLE] = str(self.path)

    def remove(self) -> None:
        """Remove it with all that was counted."""
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)


def _parent() -> Path:
    in_memory = os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES
    return IN_MEMORY if in_memory else Path(tempfile.gettempdir())


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock until this process and its children have ended; None where another
    server does, or the folder is somebody else's."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
