"""Where the lab's work is done: a Dask cluster where the settings name one, else threads of this process."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster

PATIENCE_SECONDS = 15
NOWHERE_ELSE = "127.0.0.1:0"  # Dask's own status pages: this machine only, any free port


@contextmanager
def workers(scheduler: str, threads: int | None = None) -> Iterator[Client]:
    """A client of the Dask scheduler at that address (tcp://host:port), or of `threads` threads here (default: as many
    as there are cores). Raises ValueError, in words, where nobody answers there, or nobody works.

    Threads, since numpy and LightGBM work outside of Python's lock, and since all of them share one copy of the data.
    """
    if scheduler:
        with _connected(scheduler) as client:
            yield client
        return
    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells each of its steps
    local = LocalCluster(
        n_workers=1,
        threads_per_worker=threads or cores(),
        processes=False,
        memory_limit=0,  # it is this process's memory, of which Dask must not spill or stop at a part
        dashboard_address=NOWHERE_ELSE,
        worker_dashboard_address=NOWHERE_ELSE,
    )
    with local, Client(local, set_as_default=False) as client:
        yield client


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _connected(scheduler: str) -> Client:
    try:
        client = Client(scheduler, timeout=PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at DASK_SCHEDULER={scheduler}: {error}") from error
    if not client.nthreads():
        client.close()
        raise ValueError(f"the Dask scheduler at {scheduler} has no workers: start one with `dask worker {scheduler}`")
    return client
