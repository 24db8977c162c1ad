"""Runs what is queued, one job at a time: `python -m jobs.worker`. Start as many as there are cores to give."""

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy.exc import InternalError, OperationalError, SQLAlchemyError

from backend import clock
from backend import settings as settings_module
from backend.monitoring import duties, logs
from backend.settings import Settings
from backend.store import events as facts
from backend.store import jobs, migrate, sql
from backend.store.documents import open_documents
from backend.store.jobs import Claim, LostClaim

log = logging.getLogger("jobs.worker")

# What may be queued, and the module whose `run` does it.
KINDS = MappingProxyType(
    {
        "training": "jobs.training",
        "guard": "jobs.guard",
        "mirror": "jobs.mirror",
        "backtest": "jobs.policies",
        "performance": "jobs.performance",
        "audit": "jobs.audit",
        "batch": "jobs.batch",
        "housekeeping": "jobs.housekeeping",
    }
)
POLL_SECONDS = 0.1  # a look takes no lock; a replay at full speed waits for us
GRACE_SECONDS = 5.0  # how long a job in hand may go on after SIGTERM
# What a database says that is away, or that has ended a transaction in which this process froze.
UNREACHABLE = (OperationalError, InternalError)
PROGRESS_SECONDS = 0.5  # progress is written this often at most: every write waits for the disk


def main(
    arguments: Sequence[str] | None = None,
    kinds: Mapping[str, str] = KINDS,
    lease_seconds: int = jobs.LEASE_SECONDS,
) -> int:
    """Works until SIGTERM or SIGINT. Returns the exit status."""
    argparse.ArgumentParser(prog="python -m jobs.worker", description=__doc__).parse_args(arguments)
    settings = settings_module.load()
    logs.start("worker", settings.log_level, settings.log_folder)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    work(settings, kinds, lease_seconds, stop)
    return 0


def work(settings: Settings, kinds: Mapping[str, str], lease_seconds: int, stop: threading.Event) -> None:
    """Claims and runs jobs of those kinds until `stop` is set."""
    engine = sql.open_engine(settings.database_url)
    migrate.upgrade(engine)
    with sql.writing(engine) as connection:
        facts.enter(connection, settings.mode)
    if "mirror" in kinds:
        # A change of the champion that was cut short before MLflow's aliases followed is completed now.
        jobs.enqueue(engine, "mirror", {}, "worker", clock.wall(), dedupe_key="mirror at start")
    documents = open_documents(settings.documents)
    log.info("waiting for jobs: %s", ", ".join(kinds))
    while not stop.is_set():
        try:
            duties.go_on(engine, documents, clock.wall())
            claim = jobs.claim(engine, list(kinds), lease_seconds) if jobs.claimable(engine, list(kinds)) else None
        except UNREACHABLE:
            log.exception("the database cannot be reached: trying again")
            time.sleep(25 * POLL_SECONDS)
            continue
        if claim is None:
            time.sleep(POLL_SECONDS)  # not stop.wait: a signal handler that sets it in there waits for itself
        else:
            _run(settings, claim, kinds[claim.kind], stop)


def _run(settings: Settings, claim: Claim, module: str, stop: threading.Event) -> None:
    """Runs one job beside a heartbeat. On `stop`, one that does not end in time goes back, and the process ends."""
    log.info("job %s (%s) begins", claim.id, claim.kind)
    over = threading.Event()
    lost = threading.Event()
    heartbeat = threading.Thread(target=_beat, args=(claim, over, lost), name="heartbeat", daemon=True)
    job = threading.Thread(target=_do, args=(settings, claim, module, over, lost), name="job", daemon=True)
    heartbeat.start()
    job.start()
    while not over.wait(0.1):
        if stop.is_set() and not over.wait(GRACE_SECONDS):
            _give_back(claim)
            logging.shutdown()
            os._exit(0)  # the job's thread cannot be stopped, and what it still writes is refused
    heartbeat.join()
    job.join()


def _do(settings: Settings, claim: Claim, module: str, over: threading.Event, lost: threading.Event) -> None:
    written = 0.0

    def progress(fraction: float, message: str) -> None:
        nonlocal written
        if lost.is_set():
            raise LostClaim(f"job {claim.id} is not this worker's any more")
        if time.monotonic() - written >= PROGRESS_SECONDS:
            claim.progress(fraction, message)
            written = time.monotonic()

    params = {**claim.params, "actor": claim.owner, "job": claim.id, "fence": claim.fence}
    try:
        result = importlib.import_module(module).run(settings, params, progress, claim.check)
        claim.finish(result)
        log.info("job %s (%s) is done", claim.id, claim.kind)
    except LostClaim as error:
        log.warning("stopped: %s", error)
    except (Exception, SystemExit) as error:  # pylint: disable=broad-exception-caught  # whatever a job dies of
        log.exception("job %s (%s) failed", claim.id, claim.kind)
        _fail(claim, error)
    finally:
        _tidy(settings, params, module)
        over.set()


def _fail(claim: Claim, error: BaseException) -> None:
    said = str(error).strip()
    sentence = said if said and isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: {said}"
    try:
        claim.fail(sentence)
    except (LostClaim, *UNREACHABLE):
        log.exception("job %s: its failure could not be written down", claim.id)


def _tidy(settings: Settings, params: Mapping[str, Any], module: str) -> None:
    """Lets a job whose module has a `tidy` delete what is needed no more, however the attempt went."""
    try:
        tidy = getattr(importlib.import_module(module), "tidy", None)
        if tidy is not None:
            tidy(settings, params)
    except (ImportError, OSError, SQLAlchemyError):
        log.exception("job %s: what it has left behind stays for now", params["job"])


def _give_back(claim: Claim) -> None:
    try:
        claim.release()
        log.info("job %s (%s) goes back to the queue", claim.id, claim.kind)
    except (LostClaim, *UNREACHABLE):
        log.exception("job %s could not be given back: its lease will end", claim.id)


def _beat(claim: Claim, over: threading.Event, lost: threading.Event) -> None:
    """Renews the lease three times in its length, until the job is over or has been lost."""
    while not over.wait(claim.lease_seconds / 3):
        try:
            claim.renew()
        except LostClaim:
            if not over.is_set():
                lost.set()
            return
        except UNREACHABLE:
            log.exception("job %s: the lease could not be renewed: trying again", claim.id)


if __name__ == "__main__":
    sys.exit(main())
