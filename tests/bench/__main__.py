"""`make bench`: how long the main steps take and how much memory, each in a process of its own; writes bench.json.

`ARGS=--quick` leaves out the year. What each part costs a user is measured, so start-up and imports count.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from backend import accounts, clock
from backend import settings as settings_module
from backend.settings import Settings
from backend.store.documents import open_documents
from tests.bench import api, features

MIB_TARGET = 2048


class Measured(NamedTuple):
    """One line of the report; None where there is nothing to say."""

    name: str
    seconds: float
    target_seconds: float | None
    peak_mib: float | None


class Bench:
    """Measurements on one state folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.environment = os.environ | {
            "PUSHBACK_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url,
            "RESEARCH_URL": settings.research_url,
            "MLFLOW_TRACKING_URI": settings.mlflow_uri,
        }
        self.measured: list[Measured] = []

    def add(self, name: str, seconds: float, target: float | None, peak_mib: float | None = None) -> None:
        """Keep and show one measurement."""
        self.measured.append(Measured(name, round(seconds, 4), target, peak_mib and round(peak_mib)))
        print(line(self.measured[-1]), flush=True)

    def child(
        self, name: str, target: float | None, words: list[str], use: Callable[[], dict[str, float]] | None = None
    ) -> None:
        """Run `python -m words` and measure it; with `use`, it is a server, which is used and then ended.

        `use` returns the seconds of what it did, by name. Raises SystemExit with what the child said if it failed.
        """
        log = self.settings.home / "child.log"
        with log.open("wb") as output:
            started = time.monotonic()
            child = subprocess.Popen(
                [sys.executable, "-m", *words], env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
            found: dict[str, float] = {}
            try:
                found = use() if use else {}
            finally:
                if use:
                    child.terminate()
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{name} ended with {child.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
        # Linux counts in KiB, macOS in bytes. A server's figure is that of its largest process.
        peak_mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        if not use:
            self.add(name, time.monotonic() - started, target, peak_mib)
        for number, (part, seconds) in enumerate(found.items()):
            self.add(part, seconds, None if number else target, None if number else peak_mib)


def line(row: Measured) -> str:
    """A line of the table."""
    seconds = f"{row.seconds:.2f} s" if row.seconds >= 0.5 else f"{row.seconds * 1000:.1f} ms"
    target = "" if row.target_seconds is None else f"{row.target_seconds:g} s"
    peak = "" if row.peak_mib is None else f"{row.peak_mib:,.0f} MiB"
    missed = [
        what
        for what, value, limit in (
            ("slow", row.seconds, row.target_seconds or float("inf")),
            ("large", row.peak_mib or 0, MIB_TARGET),
        )
        if value > limit
    ]
    return f"{row.name:<52} {seconds:>10} {target:>8} {peak:>10} {'2 GiB' if peak else '':>7} {', '.join(missed)}"


def measure(settings: Settings, quick: bool) -> list[Measured]:
    """All measurements, in the order in which each needs the one before."""
    bench = Bench(settings)
    print(f"{'':<52} {'time':>10} {'target':>8} {'peak':>10} {'target':>7}")
    bench.child("ingest of three months", 12, ["jobs.ingest"])
    bench.child("training on three months", 60, ["jobs.training"])
    accounts.first_start(settings, open_documents(settings.documents))
    password = (settings.secrets / "admin-password").read_text(encoding="utf-8").strip()
    port = api.free_port()
    bench.child("API", 2, api.command(port), lambda: api.use(port, password))
    if not quick:
        bench.child("ingest of the year", 45, ["jobs.ingest", "--store", "research"])
        bench.child("features of the year, from the log on", 15, ["tests.bench", "features"])
        parts = json.loads((settings.home / "features.json").read_text(encoding="utf-8"))
        for name, seconds in parts.items():
            bench.add(name, seconds, None)
    return bench.measured


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("features",), help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="leave out what needs the whole year")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    if options.part:
        features.of_the_year(settings_module.load())
        return 0
    with tempfile.TemporaryDirectory(prefix="pushback-bench-") as home:
        measured = measure(settings_module.load({"PUSHBACK_HOME": home}), options.quick)
    machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()}
    said: dict[str, Any] = {"at": clock.iso(clock.wall()), "machine": machine}
    said["measurements"] = [row._asdict() for row in measured]
    options.output.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
