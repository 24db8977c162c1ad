"""What is done when: work that is due at a time of the data clock is queued once, one after another, and the clock of a
replay does not pass it before it is over. So a replay at full speed and one at leisure come to the same decisions.

The scheduler, the workers and the API all call `settle`: whoever comes first does it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sqlalchemy import Connection, Engine

from backend import clock, options
from backend.monitoring import retraining
from backend.monitoring.retraining import SCHEDULE, Request
from backend.options import Retraining
from backend.store import events as log
from backend.store import jobs, ledger, slots, sql
from backend.store.documents import Documents
from backend.store.slots import Slot

# Each schedule and the kind of job that does it, in the order in which they are done where they are due at once.
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "performance": "performance",
        "audit": "audit",
        "guard": "guard",
        "retraining": "training",
        "housekeeping": "housekeeping",
    }
)
ACTOR = "schedule"


def limit(connection: Connection, documents: Documents, as_of: int, wall: int) -> int | None:
    """How far the data clock may go now: not so far as `as_of`, or None where nothing is in the way.

    Whoever asks has told and asked everything up to where the clock stands, so what is due there is queued, in the
    caller's write transaction.
    """
    now = log.data_clock(connection)
    if now is None or as_of <= now or log.is_live(connection):
        return None
    ends = slots.limit(connection)
    if ends is not None and ends < as_of and ends <= now:
        slots.release(connection, now)
        settle(connection, documents, wall)
        ends = slots.limit(connection)
    return None if ends is None or as_of <= ends else max(ends, now)


def pending(connection: Connection) -> bool:
    """Whether `settle` has something to do."""
    unfinished = slots.unfinished(connection)
    if any(each.state == "queued" and _over(each) for each in unfinished):
        return True
    return not any(each.state == "queued" for each in unfinished) and bool(_ready(connection, unfinished))


def settle(connection: Connection, documents: Documents, wall: int) -> None:
    """End the slots whose jobs have ended, and queue the next that is ready, if none is queued; in the caller's write
    transaction. `wall` is the wall clock, in epoch seconds."""
    for each in slots.unfinished(connection):
        if each.state == "queued" and _over(each):
            _end(connection, each, wall)
    unfinished = slots.unfinished(connection)
    if any(each.state == "queued" for each in unfinished):
        return
    ready = _coalesced(connection, _ready(connection, unfinished), wall)
    for each in sorted(ready, key=lambda slot: (slot.slot, list(KINDS).index(slot.name))):
        if _begin(connection, documents, each, wall):
            return


def go_on(engine: Engine, documents: Documents, wall: int) -> None:
    """`settle` in a transaction of its own, if there is something to do."""
    with engine.connect() as connection:
        if not pending(connection):
            return
    with sql.writing(engine) as connection:
        settle(connection, documents, wall)


def _over(slot: Slot) -> bool:
    """Whether the job has ended, or is not there any more."""
    return slot.job_state not in jobs.UNFINISHED


def _ready(connection: Connection, unfinished: Iterable[Slot]) -> list[Slot]:
    now, live = log.data_clock(connection) or 0, log.is_live(connection)
    return [
        each
        for each in unfinished
        if each.state == "ready" or (each.state == "due" and (each.slot < now or (live and each.slot <= now)))
    ]


def _coalesced(connection: Connection, ready: list[Slot], wall: int) -> list[Slot]:
    """Of each schedule the newest: runs that were missed are made up for once."""
    newest = {each.name: each for each in ready}
    missed = [each for each in ready if each is not newest[each.name]]
    for each in missed:
        slots.become(connection, each, "skipped")
    for name, count in Counter(each.name for each in missed).items():
        last = clock.iso(newest[name].slot)
        summary = f"{count} runs of {name} were missed: the one of {last} stands for them."
        _say(connection, summary, wall, {"schedule": name, "missed": count, "slot": last})
    return list(newest.values())


def _begin(connection: Connection, documents: Documents, slot: Slot, wall: int) -> bool:
    """Queue the work of that slot; False where it is over already."""
    at = clock.iso(slot.slot)
    if slot.name == "retraining":
        asked = Request(SCHEDULE, ACTOR, f"the schedule of {at}")
        said = retraining.request(connection, asked, options.of(documents, Retraining), wall)
        slots.become(connection, slot, "queued" if said.job else "declined", said.job)
        return said.job is not None
    kind, key = KINDS[slot.name], f"{slot.name} {slot.slot}"
    job = jobs.add(connection, kind, {"at": at}, ACTOR, wall, key)
    slots.become(connection, slot, "queued", job["id"])
    return True


def _end(connection: Connection, slot: Slot, wall: int) -> None:
    """A job that failed or was cancelled lets the clock go on, and the ledger says so."""
    state = slot.job_state or "done"
    slots.become(connection, slot, state)
    if state != "done":
        summary = f"{slot.name} of {clock.iso(slot.slot)} was not done: job {slot.job} {_ENDED[state]}."
        _say(connection, summary, wall, {"schedule": slot.name, "slot": clock.iso(slot.slot), "job": slot.job})


_ENDED = {"failed": "failed", "cancelled": "was cancelled"}


def _say(connection: Connection, summary: str, wall: int, evidence: dict[str, object]) -> None:
    ledger.decide(connection, "missed", wall, log.data_clock(connection), ACTOR, summary, evidence)
