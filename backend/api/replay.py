"""/replay: the one replay that may run here. It is a client like any other; this is where it says that it is one."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from backend import clock, rehearsal
from backend.api import context, schemas
from backend.api.auth import FEEDER, VIEWER, auth, current_account
from backend.api.errors import Problem
from backend.store import events as log
from backend.store import leases, ledger, sql
from backend.store.leases import Lease

bp = APIBlueprint("replay", __name__, tag="Observations", url_prefix="/replay")

LEASE = "replay"
LEASE_SECONDS = 15  # how long a replay may say nothing before another one may begin

Speed = float | Literal["max"]
State = Literal["running", "paused", "waiting", "done"]


class Replaying(schemas.Body):
    """What a replay says of itself."""

    holder: str = Field(
        pattern="^[!-~]{1,80}$", examples=["host.4711.9c1f0e3b"], description="a name that no other replay has"
    )
    state: State = Field(description="waiting: for work that is due; done: there is nothing more to tell")
    speed: Speed = Field(description="seconds of data in a second, or max")
    until: schemas.Moment | None = Field(default=None, description="how far it goes")
    breaks: list[str] = Field(default=[], max_length=5, description="what it breaks on purpose, in a rehearsal")


class Replay(BaseModel):
    """The replay that runs, if one does."""

    rehearsal: bool = Field(description="whether things may be broken on purpose here")
    holder: str | None
    state: State | None
    speed: Speed | None
    until: str | None
    breaks: list[str]


@bp.get("")
@bp.auth_required(auth, roles=[*VIEWER, *FEEDER])
@bp.output(Replay)
def get() -> dict[str, Any]:
    """The replay that runs

    Which one it is, how fast it goes and how far, and what it breaks on purpose; all null where none runs.
    """
    with context.get().engine.connect() as connection:
        return _as_json(leases.held(connection, LEASE))


@bp.put("")
@bp.auth_required(auth, roles=FEEDER)
@bp.input(Replaying, arg_name="replaying")
@bp.output(Replay)
@bp.doc(responses={409: "Another replay runs"})
def put(replaying: Replaying) -> dict[str, Any]:
    """Be the replay

    For 15 seconds; a replay says it again and again. While one is, no other can be. One that breaks things on purpose
    can be in a rehearsal alone, and the ledger says so.
    """
    here = context.get()
    if replaying.breaks and not rehearsal.is_one(here.documents):
        reason = "is for a rehearsal, and this installation is none: start one with make rehearsal"
        raise Problem(422, "Nothing is broken here", f"breaks {reason}.", [{"pointer": "/breaks", "reason": reason}])
    said = replaying.model_dump(exclude={"holder", "until"})
    said["until"] = None if replaying.until is None else clock.iso(clock.to_epoch(replaying.until))
    with sql.writing(here.engine) as connection:
        before = leases.held(connection, LEASE)
        lease = leases.take(connection, LEASE, replaying.holder, LEASE_SECONDS, said)
        if lease.holder != replaying.holder:
            detail = (
                f"The replay {lease.holder} runs. If it has ended, its place is free within {LEASE_SECONDS} seconds."
            )
            raise Problem(409, "Another replay runs", detail, headers={"Retry-After": "5"})
        new = before is None or before.holder != lease.holder or before.said["breaks"] != lease.said["breaks"]
        if new and replaying.breaks:
            _confess(connection, lease)
    return _as_json(lease)


@bp.delete("/<holder>")
@bp.auth_required(auth, roles=FEEDER)
@bp.output({}, status_code=204)
def delete(holder: str) -> tuple[str, int]:
    """Be the replay no more

    Another one may begin at once. Where another one is the replay by now, nothing changes.
    """
    with sql.writing(context.get().engine) as connection:
        leases.give_back(connection, LEASE, holder)
    return "", 204


def _confess(connection: Connection, lease: Lease) -> None:
    names = ", ".join(lease.said["breaks"])
    summary = f"From now on the replay breaks things on purpose: {names}. What it changes says so."
    who, now = current_account().username, context.get().now()
    ledger.decide(connection, "broken", now, log.data_clock(connection), who, summary, {"breaks": lease.said["breaks"]})


def _as_json(lease: Lease | None) -> dict[str, Any]:
    nothing: dict[str, Any] = {"holder": None, "state": None, "speed": None, "until": None, "breaks": []}
    said = nothing if lease is None else {"holder": lease.holder, **lease.said}
    return {**said, "rehearsal": rehearsal.is_one(context.get().documents)}
