"""One way to a training, whatever the cause: one at a time, not again before the cooldown is over, and not too often.

What was asked for, by whom and why, and what was made of it, stands in the ledger.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from backend import clock
from backend.clock import DAY, HOUR
from backend.options import Retraining
from backend.store import deployments, jobs, ledger, slots
from backend.store import events as log

SCHEDULE, PERFORMANCE, ALERT, BUTTON = "schedule", "performance", "alert", "button"
GRACE = HOUR  # a week of local time may be an hour shorter
REMEMBERED = 100  # of the latest requests that are looked through for the same one
KINDS = ("requested", "alerted")  # in the ledger: what alerts ask for has a kind of its own


class Request(NamedTuple):
    """Who or what asks for a training, in which words, and a `key` that is the same for the same cause.

    `objection` is a reason of the asker's own not to train, such as an alert that is resolved; `until` is the moment
    whose knowledge is to be used (epoch seconds; None: the data clock); `evidence` goes into the ledger. Who asks every
    night while something holds is `patient`: the ledger is told only where something comes of it.
    """

    cause: str
    actor: str
    why: str
    key: str | None = None
    objection: str | None = None
    until: int | None = None
    evidence: Mapping[str, Any] = MappingProxyType({})
    patient: bool = False


class Outcome(NamedTuple):
    """The job that trains for this request, or None; whether it was queued for it; why, in words; and the decision's
    id, None where none was written down."""

    job: str | None
    queued: bool
    reason: str
    decision: int | None


class Past(NamedTuple):
    """What was done before, by the data clock: when a training ended last, when the latest ones were queued and by
    which cause, the job that the same cause has started already, and what was decided last about it."""

    trained_at: int | None
    started: Sequence[tuple[int, str]]
    same: str | None
    last: Row[Any] | None = None


def request(connection: Connection, asked: Request, how: Retraining, wall: int) -> Outcome:
    """Queue a training, or do not, in the caller's write transaction. `wall` is the wall clock, in epoch seconds.

    The data clock of a replay waits for it (backend/monitoring/duties.py).
    """
    deployments.lock(connection)  # two requests at once start one training
    now = log.data_clock(connection)
    past = _past(connection, asked.key)
    why_not = asked.objection or objection(asked.cause, past, now or 0, how)
    training = jobs.unfinished(connection, "training")
    if why_not is None and asked.cause != BUTTON and training:
        why_not = f"job {training[0]} is training already"
    job, queued = None, False
    if why_not is None:
        key = f"training {clock.iso(asked.until)}"
        until = clock.iso(now if asked.until is None else asked.until)
        job = str(jobs.add(connection, "training", {"until": until}, asked.actor, wall, key)["id"])
        queued = job not in training
        if queued and now is not None:
            slots.occupy(connection, "retraining", now, job)
        why_not = None if queued else f"job {job} is training already"
    if asked.patient and not queued:
        return Outcome(None, False, why_not or "", None)
    if past.last is not None and not queued and past.last.evidence.get("reason") == why_not:
        return Outcome(None, False, why_not or "", past.last.id)  # who asks again and again is told the same once
    summary = f"{asked.why[:1].upper()}{asked.why[1:]}: "
    summary += f"a training is queued as job {job}." if queued else f"no training: {why_not}."
    evidence = {**asked.evidence, "cause": asked.cause, "key": asked.key, "job": job if queued else None}
    evidence["reason"] = why_not
    kind = "alerted" if asked.cause == ALERT else "requested"
    decision = ledger.decide(connection, kind, wall, now, asked.actor, summary, evidence)
    return Outcome(job, queued, why_not or "a training is queued", decision)


def objection(cause: str, past: Past, now: int, how: Retraining) -> str | None:
    """Why no training is started for that cause, or None where it is. `now` is the data clock. A person may always."""
    if cause == BUTTON:
        return None
    if past.same is not None:
        return f"the same has started job {past.same} already"
    if how.most_a_day == 0:
        return "the settings let no training start that a person has not asked for"
    newest = max(
        [*(at for at, _ in past.started), *([] if past.trained_at is None else [past.trained_at])], default=None
    )
    if newest is not None and now < newest + int(how.cooldown_days * DAY) - GRACE:
        return f"the newest training is of {clock.iso(newest)}, and causes wait {how.cooldown_days:g} days after one"
    today = sum(at > now - DAY for at, by in past.started if by != BUTTON)
    if today >= how.most_a_day:
        return f"causes have started {today} in the last day of data, and may start {how.most_a_day}"
    return None


def _past(connection: Connection, key: str | None) -> Past:
    trained = ledger.decisions(connection, "trained", 1)
    asked = [row for kind in KINDS for row in ledger.decisions(connection, kind, REMEMBERED)]
    started = [row for row in asked if row.evidence["job"] is not None]
    alike = [row for row in asked if key is not None and row.evidence.get("key") == key]
    same = (row.evidence["job"] for row in alike if row.evidence["job"] is not None)
    return Past(
        trained_at=trained[0].data_at if trained else None,
        started=[(row.data_at or 0, row.evidence.get("cause", ALERT)) for row in started],
        same=next(same, None),
        last=max(alike, key=lambda row: row.id, default=None),
    )
