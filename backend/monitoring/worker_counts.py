"""What all worker processes of a server have counted, those that have ended included."""

import errno
import fcntl
import logging
import shutil
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger(__name__)

SUMMED = ("counter", "histogram")  # prometheus_client's files are KIND_PROCESS.db, and gauge_MODE_PROCESS.db
ENDED = "ended"


def collect(folder: Path) -> Iterable[Metric]:
    """The families of all processes together."""
    with _locked(folder, fcntl.LOCK_SH):
        found: Iterable[Metric] = MultiProcessCollector(None, str(folder)).collect()
    return found


def fold(folder: Path, alive: Collection[int]) -> None:
    """Puts what ended workers have counted into one file, so that a server that lives long does not fill its folder.

    Nothing is counted twice or lost: who reads waits for the end; while somebody reads, it is left for the next time.
    So it is where it cannot be done, which the log says: the server goes on.
    """
    try:
        with suppress(BlockingIOError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for kind in SUMMED:
                _fold(folder, kind, _of_ended(folder, kind, alive))
            for file in _of_ended(folder, "gauge_*", alive):
                file.unlink()
    except (OSError, RuntimeError, struct.error):  # the last two are prometheus_client's for a damaged file
        logger.exception("what ended workers have counted stays in their own files")


def _of_ended(folder: Path, kind: str, alive: Collection[int]) -> list[Path]:
    workers = ((file, file.stem.rpartition("_")[2]) for file in folder.glob(f"{kind}_*.db"))
    return [file for file, worker in workers if worker != ENDED and int(worker) not in alive]


def _fold(folder: Path, kind: str, files: list[Path]) -> None:
    if not files:
        return
    ended, new = folder / f"{kind}_{ENDED}.db", folder / f"{kind}_{ENDED}.new"
    old = [file for file in (*files, ended) if file.exists() and file.stat().st_size]  # a kill may leave one of 0 bytes
    if shutil.disk_usage(folder).free < 2 * sum(file.stat().st_size for file in old):
        raise OSError(errno.ENOSPC, "no room, and to write to a file in memory would kill the server", str(folder))
    new.unlink(missing_ok=True)
    total: Counter[str] = Counter()
    for file in old:
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):
            total[key] += value
    written = MmapedDict(str(new))
    for key, value in total.items():
        written.write_value(key, value, 0.0)
    written.close()
    new.replace(ended)
    for file in files:
        file.unlink()


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield
