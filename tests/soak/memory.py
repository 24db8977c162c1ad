"""What each process takes, all the time that it lives.

Judged is what it has for itself (USS): its share of what several have (PSS) grows when another one is killed.
"""

import statistics
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil


class Taken(NamedTuple):
    """Memory of a process in MiB at a time in seconds from the start: its own, and with its share of what others have
    too."""

    at: float
    own: float
    with_share: float


@dataclass
class Life:
    """One process: what it is, and what it took."""

    name: str
    process: psutil.Process
    taken: list[Taken] = field(default_factory=list)

    def around(self, since: float, until: float) -> Taken | None:
        """The medians between two times, or None where it did not live then."""
        taken = [each for each in self.taken if since <= each.at <= until]
        return Taken(*map(statistics.median, zip(*taken, strict=True))) if taken else None


class Memory:
    """Samples of all processes that descend from some, which are named."""

    def __init__(self, parts: dict[str, psutil.Process]) -> None:
        self._parts, self._begun = parts, time.monotonic()
        self.lives: dict[tuple[int, float], Life] = {}

    def sample(self) -> None:
        """Weigh whatever lives now."""
        at = time.monotonic() - self._begun
        for name, part in self._parts.items():
            for process in [part, *part.children(recursive=True)]:
                kind = name if process == part else f"a process of the {name}"
                try:
                    known = self.lives.setdefault((process.pid, process.create_time()), Life(kind, process))
                    used = process.memory_full_info()
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue  # it was killed in between
                if used.uss:  # it has none any more while it ends
                    known.taken.append(Taken(at, used.uss / 2**20, getattr(used, "pss", used.uss) / 2**20))

    def grown(self, seconds: float) -> list[tuple[Life, Taken, Taken]]:
        """Processes that lived from three tenths of that time to its end, with what they took then and at the end."""
        found = []
        for life in self.lives.values():
            then, at_the_end = life.around(0.28 * seconds, 0.32 * seconds), life.around(0.95 * seconds, seconds * 2)
            if then is not None and at_the_end is not None:
                found.append((life, then, at_the_end))
        return found
