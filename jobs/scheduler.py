"""Plans what is due by the data clock, and queues it: `python -m jobs.scheduler`. One is enough, and two do no harm.

When something is due is a cron line in the settings `schedules`. APScheduler's CronTrigger is asked with the data time,
so that "nightly" is a night of data in a replay, and a real night in live mode. What is planned stands in rows of our
own, some time ahead, and the data clock does not pass what is not done yet (backend/monitoring/duties.py).
"""

import argparse
import logging
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from backend import clock, options
from backend import settings as settings_module
from backend.monitoring import duties, logs
from backend.options import Schedules
from backend.settings import Settings
from backend.store import events as facts
from backend.store import migrate, slots, sql
from backend.store.documents import Documents, open_documents
from backend.store.slots import Plan

log = logging.getLogger("jobs.scheduler")

AHEAD = 8  # slots of each schedule that are planned, so that a replay at full speed need not wait for us
MISSED_SINCE = 32 * clock.DAY  # what was due longer ago is not made up for
POLL_SECONDS = 0.2
NEVER = 1 << 40


def moments(line: str, time_zone: str, after: int) -> Iterator[int]:
    """When that cron line is due after that moment, in epoch seconds, one after another."""
    trigger = CronTrigger.from_crontab(line, timezone=ZoneInfo(time_zone))
    moment = clock.from_epoch(after)
    while (moment := trigger.get_next_fire_time(None, moment + timedelta(seconds=1))) is not None:
        yield clock.to_epoch(moment)


def plan(connection: Connection, how: Schedules) -> None:
    """Bring what is planned up to the settings and the data clock, in the caller's write transaction."""
    now = facts.data_clock(connection)
    if now is None:
        return
    planned = slots.planned(connection)
    wanted = _wanted(how)
    changed = [name for name, was in planned.items() if wanted.get(name) != (was.cron, was.time_zone)]
    if changed:
        slots.forget(connection, changed)
    for name, line in wanted.items():
        was = None if name in changed else planned.get(name)
        _plan_on(connection, Plan(name, *line, now if was is None else was.planned_until), now)


def _wanted(how: Schedules) -> dict[str, tuple[str, str]]:
    """The cron line and the time zone of each schedule that is on."""
    return {name: (line, how.time_zone) for name in duties.KINDS if (line := getattr(how, name))}


def _plan_on(connection: Connection, was: Plan, now: int) -> None:
    """Plan a schedule on from where it is planned to, until enough of it is ahead. What was missed is due at once."""
    ahead = sum(each.name == was.name and each.slot > now for each in slots.unfinished(connection))
    if ahead > AHEAD // 2:
        return
    due: list[int] = []
    for moment in moments(was.cron, was.time_zone, max(was.planned_until, now - MISSED_SINCE)):
        due.append(moment)
        ahead += moment > now
        if ahead >= AHEAD:
            break
    # A line such as 0 0 31 2 * is never due, and so nothing has to be planned.
    slots.plan(connection, was._replace(planned_until=due[-1] if ahead >= AHEAD else NEVER), due)


def look(engine: Engine, documents: Documents) -> None:
    """Plan, and queue what is due, where there is something to plan or to queue."""
    how = options.of(documents, Schedules)
    with engine.connect() as connection:
        if not (_to_plan(connection, how) or duties.pending(connection)):
            return
    with sql.writing(engine) as connection:
        plan(connection, how)
        duties.settle(connection, documents, clock.wall())


def _to_plan(connection: Connection, how: Schedules) -> bool:
    now = facts.data_clock(connection)
    if now is None:
        return False
    planned = slots.planned(connection)
    if _wanted(how) != {name: (was.cron, was.time_zone) for name, was in planned.items()}:
        return True
    ahead = Counter(each.name for each in slots.unfinished(connection) if each.slot > now)
    return any(ahead[name] <= AHEAD // 2 and was.planned_until < NEVER for name, was in planned.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Works until SIGTERM or SIGINT. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m jobs.scheduler", description=__doc__)
    parser.add_argument("--once", action="store_true", help="look once, and end")
    once = parser.parse_args(arguments).once
    settings = settings_module.load()
    logs.start("scheduler", settings.log_level, settings.log_folder)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    work(settings, stop, once)
    return 0


def work(settings: Settings, stop: threading.Event, once: bool = False) -> None:
    """Looks again and again until `stop` is set, or once."""
    engine, documents = sql.open_engine(settings.database_url), open_documents(settings.documents)
    migrate.upgrade(engine)
    if once:
        look(engine, documents)
        return
    log.info("planning: %s", ", ".join(duties.KINDS))
    while not stop.is_set():
        try:
            look(engine, documents)
        except OperationalError:
            log.exception("the database cannot be used: trying again")
        time.sleep(POLL_SECONDS)  # not stop.wait: a signal handler that sets it in there waits for itself
    log.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
