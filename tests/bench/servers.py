"""A server that is measured: started, waited for until it answers, weighed, and ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

PATIENCE_SECONDS = 90


class Server(NamedTuple):
    """One that runs, and how long it took until its first answer."""

    port: int
    process: psutil.Process
    cold_seconds: float

    def mib(self) -> float:
        """What its processes take in memory together; what they share is counted once (on Linux)."""
        family = [self.process, *self.process.children(recursive=True)]
        used = [process.memory_full_info() for process in family]
        return sum(getattr(each, "pss", each.uss) for each in used) / 2**20


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], port: int, answers: Callable[[int], bool], log: Path
) -> Iterator[Server]:
    """That command, from when `answers` is true of its port. Raises SystemExit with its words where it never is."""
    with log.open("wb") as output:
        begun = time.monotonic()
        child = subprocess.Popen(
            command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            while not answers(port):
                if child.poll() is not None or time.monotonic() - begun > PATIENCE_SECONDS:
                    said = log.read_text(errors="replace")[-3000:]
                    raise SystemExit(f"{' '.join(command)} gave no answer:\n{said}")
                time.sleep(0.02)
            yield Server(port, psutil.Process(child.pid), time.monotonic() - begun)
        finally:
            with suppress(ProcessLookupError):  # one that ended by itself
                os.killpg(child.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=15)
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
