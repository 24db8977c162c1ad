"""One soak: the API and a worker as `make up` starts them, the load, two kills in its middle, and what was found."""

import http.client
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psutil

from backend import accounts, clock
from backend.flights.events import Event
from backend.settings import Settings
from backend.store import sql
from backend.store.documents import open_documents
from jobs.launch import free, parts
from tests.bench import servers
from tests.soak import afterwards
from tests.soak.load import Kept, Load
from tests.soak.memory import Life, Memory

ROLES = ("viewer", "feeder", "operator")
KILLS = (0.45, 0.55)  # of the time
SAMPLES = 60  # of memory
GROWS_AT_MOST = 0.05
LONG_SECONDS = 300  # memory is judged where a process had the time to settle
PATIENCE_SECONDS = 240


@dataclass
class Found:
    """What a soak has found. Without `faults` all was well."""

    seconds: float
    load: Load
    memory: Memory
    faults: list[str]

    @property
    def kept(self) -> Kept:
        """What the clients were promised."""
        return self.load.kept


def run(
    settings: Settings, until: int, feed: Sequence[Event], secret: tuple[str, str], seconds: float, version: int = 0
) -> Found:
    """Load on an installation that knows the small world until `until`, with a feed of what comes after.

    `secret` is the password of each account, after it its Argon2 hash. An operator promotes `version`, or without one
    what it trains.
    """
    password, password_hash = secret
    settings = replace(settings, api_port=free.port())
    documents = open_documents(settings.documents)
    made = {role: accounts.add(documents, role, password_hash, role, clock.wall()).id for role in ROLES}
    load = Load(settings.api_port, password, feed, until, version)
    with _running(settings) as (api, worker):
        memory = Memory({"API": api, "worker": worker})
        with load.running(seconds):
            _watch(load, memory, api, seconds)
    faults = [*load.notes.faults, *_too_large(memory, seconds)]
    engine = sql.open_engine(settings.database_url)
    faults += afterwards.faults(settings, engine, made["viewer"], load.kept)
    engine.dispose()
    if not load.kept.answers or not load.kept.events or len(load.kept.changes) < 2:
        faults.append("there were no answers, no observations, or no promotion and rollback")
    return Found(seconds, load, memory, faults)


@contextmanager
def _running(settings: Settings) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """The API's first process, and the worker's."""
    environment, commands = os.environ | parts.environment(settings), parts.commands(settings)
    logs = settings.home / "logs"
    logs.mkdir(exist_ok=True)

    def works(_: int) -> bool:
        return (logs / "worker.jsonl").exists() and "waiting for jobs" in (logs / "worker.jsonl").read_text()

    port = settings.api_port
    with (
        servers.running(commands["api"], environment, port, _is_ready, logs / "api.out") as api,
        servers.running(commands["worker"], environment, port, works, logs / "worker.out") as worker,
    ):
        yield api.process, worker.process


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _watch(load: Load, memory: Memory, api: psutil.Process, seconds: float) -> None:
    """Weighs, and kills one of the API's workers and then the one that came in its place, so that the other lives
    all the time. Lasts as long as the load has to, and until the operator has done everything."""
    begun, kills = time.monotonic(), [share * seconds for share in KILLS]
    older, latest = {child.pid for child in api.children()}, begun + seconds + PATIENCE_SECONDS
    while (now := time.monotonic() - begun) < seconds or not load.operator_is_done.is_set():
        if kills and now >= kills[0]:
            victims = [child for child in api.children() if len(kills) == len(KILLS) or child.pid not in older]
            if victims:
                _kill(load, victims[0])
                older.update(child.pid for child in api.children())
                kills.pop(0)
        memory.sample()
        time.sleep(min(0.5, seconds / SAMPLES) if kills and now >= kills[0] else seconds / SAMPLES)
        if time.monotonic() > latest:
            load.notes.fault(f"the operator was not done {PATIENCE_SECONDS} s after the end")
            return
    if kills:
        load.notes.fault("no worker came in the place of the one that was killed")


def _kill(load: Load, victim: psutil.Process) -> None:
    load.notes.kills.append(time.time())
    victim.send_signal(signal.SIGKILL)


def _too_large(memory: Memory, seconds: float) -> Iterator[str]:
    if seconds < LONG_SECONDS:
        return
    for life, then, at_the_end in memory.grown(seconds):
        if at_the_end.own > then.own * (1 + GROWS_AT_MOST):
            yield f"the {life.name} ({life.process.pid}) grew from {then.own:.1f} to {at_the_end.own:.1f} MiB"


def _in_tenths(life: Life, seconds: float) -> Iterator[float]:
    """Its own memory in each tenth of the time, in MiB."""
    for tenth in range(10):
        taken = life.around(tenth * seconds / 10, (tenth + 1) * seconds / 10)
        if taken is not None:
            yield taken.own


def report(found: Found) -> str:
    """A few lines for a person."""
    notes, kept = found.load.notes, found.kept
    lines = [f"{found.seconds / 60:.1f} minutes of load; {len(notes.kills)} processes killed", ""]
    for (call, status), count in sorted(notes.answers.items()):
        lines.append(f"  {call:<24} {status}  {count:>8,}   slowest {notes.slowest[call]:.2f} s")
    lines += ["", f"  {len(kept.answers):,} predictions and {len(kept.events):,} observations were promised"]
    lines += [f"  {notes.cut_off} requests were cut off by the kills", *(f"  {change}" for change in kept.changes), ""]
    for life, then, at_the_end in found.memory.grown(found.seconds):
        lines.append(
            f"  {life.name:<24} {then.own:6.1f} MiB after 3/10, {at_the_end.own:6.1f} MiB at the end "
            f"({at_the_end.own / then.own - 1:+.1%}); with its share of what others have too "
            f"{then.with_share:.1f} and {at_the_end.with_share:.1f} MiB"
        )
        lines.append("    in tenths: " + " ".join(f"{mib:.1f}" for mib in _in_tenths(life, found.seconds)))
    lines += ["", *(f"FAULT: {fault}" for fault in found.faults[:50])]
    return "\n".join([*lines, f"{len(found.faults)} faults"])
