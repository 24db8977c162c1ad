"""POST /training: a new model, as a job."""

from typing import Any

from apiflask import APIBlueprint
from flask import url_for
from pydantic import Field

from backend import clock, options
from backend.api import context, schemas
from backend.api.auth import OPERATOR, auth, current_account
from backend.api.jobs import Job, as_json
from backend.api.quotas import costly
from backend.monitoring import retraining
from backend.monitoring.retraining import Request
from backend.options import Retraining
from backend.store import jobs, sql

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
    A person need not wait until the cooldown is over; what was asked for stands in the ledger.
    """
    here, who = context.get(), current_account().username
    until = None if training.until is None else clock.to_epoch(training.until)
    asked = Request(retraining.BUTTON, who, f"{who} asked for a training", until=until)
    with sql.writing(here.engine) as connection:
        said = retraining.request(connection, asked, options.of(here.documents, Retraining), here.now())
    job = jobs.get(here.engine, str(said.job))
    assert job is not None, "what a person asks for is queued"
    return as_json(job), 202, {"Location": url_for("jobs.get", identity=job["id"])}
