"""The closed loop, from a fresh state to the end of a replay at full speed, told as the ledger has it (`make loop`).

Days of flights go by, a real Prometheus finds that the champion has become bad or old, a real Alertmanager posts to the
webhook, a training runs, and the gate decides. No schedule trains here, and no verdict asks for it: whatever is trained
after the first champion, an alert has asked for.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from backend import options
from backend import settings as settings_module
from backend.options import Retraining, Schedules
from backend.settings import Settings
from backend.store.documents import open_documents
from jobs import up
from jobs.feed import breaks
from jobs.feed.client import Client
from jobs.launch import free, instance, parts, ready, watchers
from jobs.launch.refused import Refused

PARTS = ("api", "worker", "scheduler")
KINDS = {
    "trained": "trained",
    "compared": "judged",
    "promoted": "serves",
    "rolled_back": "rolled back",
    "alerted": "alert",
    "performance": "verdict",
    "guarded": "guard",
    "broken": "broken",
    "drift": "drift",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 where at least one alert has started a training, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m jobs.loop", description=__doc__)
    parser.add_argument("--until", type=date.fromisoformat, default=date(2013, 7, 1), metavar="YYYY-MM-DD")
    parser.add_argument("--break", dest="breaks", action="append", default=[], metavar="WHAT", help=breaks.HELP)
    parser.add_argument("--home", type=Path, help="a state folder to keep (default: one that is deleted)")
    asked = parser.parse_args(arguments)
    parts.stop_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="pushback-loop-") as folder:
            return _turn(_settings(asked.home or Path(folder)), asked.until, asked.breaks)
    except (Refused, ValueError) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _settings(home: Path) -> Settings:
    """An installation in that folder on free ports, whatever the environment says of another one."""
    return replace(settings_module.load({"PUSHBACK_HOME": str(home)}), api_port=free.port())


def _turn(here: Settings, until: date, broken: list[str]) -> int:
    lock = instance.take_lock(here.home)
    try:
        os.environ.update(parts.environment(here))
        documents = open_documents(here.documents)
        options.write(documents, "schedules", Schedules(retraining=""))
        options.write(documents, "retraining", Retraining(by_verdict=False))
        up.prepare(here, lock, rehearse=bool(broken))
        ports = {"prometheus": free.port(), "alertmanager": free.port()}
        watchers.configure(here.home / "watchers", here, ports["alertmanager"], hurried=True)
        started = time.monotonic()
        with running(here, parts.commands(here), PARTS):
            ready.wait_until_ready(here, app=False)
            with running(here, watchers.commands(here.home / "watchers", ports)):
                words = ["--until", until.isoformat(), "--speed", "max", *(f"--break={each}" for each in broken)]
                replayed = subprocess.run([sys.executable, "-m", "jobs.replay", *words], check=False)
            took = time.monotonic() - started
            alerts = tell(here)
    finally:
        instance.end(instance.processes_of(here.home), patience_seconds=5)
        instance.give_back(here.home, lock)
    print(f"\nReplayed in {took:.0f} s. {alerts} of the trainings were asked for by an alert.")
    return 0 if replayed.returncode == 0 and alerts else 1


@contextmanager
def running(here: Settings, commands: dict[str, list[str]], names: Sequence[str] = ()) -> Iterator[None]:
    """Those commands that are named, or all, until the end of the block; what they say is in the state folder."""
    processes = []
    try:
        for name in names or commands:
            with (here.home / f"{name}.log").open("wb") as log:
                processes.append(subprocess.Popen(commands[name], stdout=log, stderr=subprocess.STDOUT))
        yield
        for process in processes:
            if process.poll() is not None:
                raise Refused(f"{shlex.join(process.args)} has ended: its log is in {here.home}.")  # type: ignore[arg-type]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(parts.PATIENCE_SECONDS)


def tell(here: Settings) -> int:
    """Print the ledger in its order, a line each. Returns how many trainings alerts have started."""
    client = Client(here.api_url, "admin", here.secrets / "admin-password", lambda: False)
    following: str | None = ""
    started = 0
    print("\ndata clock        what         in words")
    while following is not None:
        page = client.call("GET", f"/decisions?sort=id&limit=200{following}").body
        for said in page["items"]:
            started += said["kind"] == "alerted" and said["evidence"]["job"] is not None
            if said["kind"] in KINDS and (said["kind"] != "alerted" or said["evidence"]["job"] is not None):
                print(f"{(said['data_at'] or '')[:16]:<17} {KINDS[said['kind']]:<12} {said['summary']}")
        following = f"&cursor={page['next']}" if page["next"] else None
    client.close()
    return started


if __name__ == "__main__":
    sys.exit(main())
