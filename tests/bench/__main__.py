"""`make bench`: how long the main steps take and how much memory, each in a process of its own; writes bench.json.

`ARGS=--quick` leaves out the year, `ARGS=--docs` writes the table of answers into docs/performance.md. What each part
costs a user is measured, so start-up and imports count.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from backend import clock
from backend import settings as settings_module
from backend.settings import Settings
from tests.bench import against_mlflow, features
from tests.bench.ours import Asked

MIB_TARGET = 2048
BEGIN, END = "<!-- answers: make bench -->", "<!-- end of answers -->"


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

    def child(self, name: str, target: float | None, words: list[str]) -> None:
        """Run `python -m words` and measure it. Raises SystemExit with what it said if it failed."""
        log = self.settings.home / "child.log"
        with log.open("wb") as output:
            started = time.monotonic()
            child = subprocess.Popen(
                [sys.executable, "-m", *words], env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{name} ended with {child.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
        # Linux counts in KiB, macOS in bytes.
        peak_mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        self.add(name, time.monotonic() - started, target, peak_mib)


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


def measure(settings: Settings, quick: bool) -> tuple[list[Measured], list[against_mlflow.Row]]:
    """All measurements, in the order in which each needs the one before."""
    bench = Bench(settings)
    print(f"{'':<52} {'time':>10} {'target':>8} {'peak':>10} {'target':>7}")
    bench.child("ingest of three months", 12, ["jobs.ingest"])
    bench.child("training on three months", 60, ["jobs.training"])
    answers = against_mlflow.measure(settings, bench.environment)
    bench.add("API from start to the first answered prediction", answers[0].cold_seconds or 0, 2, answers[0].mib)
    if not quick:
        answers += as_history_grows(settings)
        bench.child("ingest of the year", 45, ["jobs.ingest", "--store", "research"])
        bench.child("features of the year, from the log on", 15, ["tests.bench", "features"])
        parts = json.loads((settings.home / "features.json").read_text(encoding="utf-8"))
        for name, seconds in parts.items():
            bench.add(name, seconds, None)
    return bench.measured, answers


def as_history_grows(settings: Settings) -> list[against_mlflow.Row]:
    """One flight a request of an installation that knows one month, and of the same one once it knows twelve."""
    home = settings.home / "grows"
    home.mkdir()
    grows = Bench(settings_module.load({"PUSHBACK_HOME": str(home)}))
    rows: list[against_mlflow.Row] = []
    for months, until in ((1, "2013-02-01"), (12, "2013-12-31")):
        grows.child(f"ingest until {until}", None, ["jobs.ingest", "--until", until])
        if not rows:
            grows.child("training on one month", None, ["jobs.training"])
        (row,) = against_mlflow.ours(Asked(grows.settings), grows.environment, (1,))
        rows.append(row._replace(name=f"Pushback, history of {months} month{'s' if months > 1 else ''}"))
    return rows


def write_docs(table: str, machine: str) -> None:
    """Puts the table between its marks in docs/performance.md."""
    page = Path("docs/performance.md")
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{machine}\n\n{table}{END}{after}", encoding="utf-8")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("features",), help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="leave out what needs the whole year")
    parser.add_argument("--docs", action="store_true", help="write the table of answers into docs/performance.md")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    if options.part:
        features.of_the_year(settings_module.load())
        return 0
    with tempfile.TemporaryDirectory(prefix="pushback-bench-") as home:
        measured, answers = measure(settings_module.load({"PUSHBACK_HOME": home}), options.quick)
    machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()}
    said: dict[str, Any] = {"at": clock.iso(clock.wall()), "machine": machine}
    said["measurements"] = [row._asdict() for row in measured]
    said["answers"], ratio = against_mlflow.as_json(answers), against_mlflow.ratio(answers)
    said["ratio"] = round(ratio, 2)
    options.output.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    table = against_mlflow.table(answers)
    print(f"\n{table}\nWritten to {options.output}")
    if options.docs:
        cores = f"{os.cpu_count()} cores, {against_mlflow.CLIENTS} clients on the same machine"
        write_docs(table, f"{cores}, {against_mlflow.WORKERS} workers each. One flight: {ratio:.1f} times MLflow's.")
    print(f"ratio to mlflow models serve, one flight: {ratio:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
