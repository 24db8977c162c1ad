"""/jobs: long work that was asked for. Its owner watches and cancels it; operators do so for everybody."""

from collections.abc import Mapping
from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend import clock
from backend.api import context, paging
from backend.api.auth import OPERATOR, VIEWER, auth, current_account
from backend.api.errors import Problem
from backend.store import batches, jobs
from backend.store.blobs import Blobs

bp = APIBlueprint("jobs", __name__, tag="Jobs", url_prefix="/jobs")


State = Literal["queued", "running", "done", "failed", "cancelled"]


class Job(BaseModel):
    """Long work, and how far it is. Times are UTC."""

    id: str
    kind: str = Field(examples=["training"])
    state: State
    progress: float = Field(ge=0, le=1)
    message: str = Field(description="what it does now")
    result: dict[str, Any] | None
    error: str | None
    owner: str
    created_at: str = Field(examples=["2026-11-23T12:00:00Z"])
    started_at: str | None
    ended_at: str | None
    attempts: int


class Jobs(BaseModel):
    """A page of jobs."""

    items: list[Job]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Paged):
    """Which jobs."""

    kind: str | None = Field(default=None, max_length=20, description="training, backtest, …")
    state: State | None = None
    sort: Literal["created_at", "-created_at"] = paging.sort("-created_at")


def as_json(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job of the store as the API shows it."""
    times = {name: clock.iso(job[name]) for name in ("created_at", "started_at", "ended_at")}
    return {name: job[name] for name in Job.__annotations__ if name not in times} | times


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Jobs)
def listing(query: Query) -> dict[str, Any]:
    """List jobs

    One's own; for operators, everybody's.
    """
    account = current_account()
    owner = None if account.role in OPERATOR else account.username
    found, following = jobs.listing(context.get().engine, owner, query.page, query.kind, query.state)
    return {"items": [as_json(job) for job in found], "next": following}


@bp.get("/<identity>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(Job)
def get(identity: str) -> dict[str, Any]:
    """Watch a job

    How far it is, and in the end its result or why it failed. Of others' jobs only operators learn anything.
    """
    return as_json(visible(identity))


@bp.delete("/<identity>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(Job)
@bp.doc(responses={409: "The job has ended already"})
def cancel(identity: str) -> dict[str, Any]:
    """Cancel a job

    One that waits never begins; one that runs stops at its next step, and nothing that it does after this counts. A
    file that was sent for it is deleted.
    """
    here = context.get()
    visible(identity)
    job = jobs.cancel(here.engine, identity, here.now())
    if job is None or job["state"] != "cancelled":
        raise Problem(409, "The job has ended", "The job has ended already, so that there is nothing to cancel.")
    batches.forget(Blobs(here.settings.blobs), identity)
    return as_json(job)


def visible(identity: str) -> dict[str, Any]:
    """The job of the store with that id. Raises Problem 404 where there is none that this account may see."""
    account = current_account()
    job = jobs.get(context.get().engine, identity)
    if job is None or (account.role not in OPERATOR and job["owner"] != account.username):
        raise Problem(
            404, "No such job", f"There is no job {identity} that this account may see: GET /jobs lists them."
        )
    return job
