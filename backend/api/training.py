"""POST /training: a new model, as a job."""

from typing import Any

from apiflask import APIBlueprint
from flask import url_for
from pydantic import Field

from backend import clock
from backend.api import context, schemas
from backend.api.auth import OPERATOR, auth, current_account
from backend.api.jobs import Job, as_json
from backend.api.quotas import costly
from backend.store import jobs

bp = APIBlueprint("training", __name__, tag="Models")


class Training(schemas.Body):
    """What to train on."""

    until: schemas.Moment | None = Field(
        default=None,
        description="the moment whose knowledge is used, with its time zone; by default that of the data clock",
        examples=["2013-04-01T04:00:00Z"],
    )


@bp.post("/training")
@bp.auth_required(auth, roles=OPERATOR)
@bp.input(Training, arg_name="training")
@bp.output(Job, status_code=202)
@costly
def new(training: Training) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Train a model

    Queues a training and answers at once with its job. While one for the same moment is queued or running, this is it.
    """
    here = context.get()
    account = current_account()
    until = None if training.until is None else clock.iso(clock.to_epoch(training.until))
    job = jobs.enqueue(
        here.engine, "training", {"until": until}, account.username, here.now(), dedupe_key=f"training {until}"
    )
    return as_json(job), 202, {"Location": url_for("jobs.get", identity=job["id"])}
