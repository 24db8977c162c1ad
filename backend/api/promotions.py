"""POST /models/{version}/promote and /models/rollback: a person lets another version serve, and says why."""

from typing import Annotated, Any

from apiflask import APIBlueprint
from pydantic import Field, StringConstraints

from backend.api import context, deployments, models, schemas
from backend.api.auth import OPERATOR, auth, current_account
from backend.api.errors import Problem
from backend.model import registry
from backend.model.registry import RefusedError
from backend.store import deployments as served
from backend.store import jobs, sql
from backend.store.blobs import Blobs

bp = APIBlueprint("promotions", __name__, tag="Models", url_prefix="/models")


class Reason(schemas.Body):
    """Why another version shall serve."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] = Field(
        description="stands in the ledger", examples=["Its probabilities for Newark are too high since Monday."]
    )
    instead_of: Annotated[int, Field(ge=1, lt=10**9), schemas.WHOLE] | None = Field(
        default=None,
        description="the version that you believe to be the champion: if another one is by now, nothing changes",
    )


@bp.post("/<int:version>/promote")
@bp.auth_required(auth, roles=OPERATOR)
@bp.input(Reason, arg_name="change")
@bp.output(deployments.Deployment)
@bp.doc(responses={404: "No such version", 409: "It is the champion already, or it cannot serve; nothing has changed"})
def promote(version: int, change: Reason) -> dict[str, Any]:
    """Let a version serve

    Whatever its comparison said: the reason stands in the ledger. Requests are answered by it from this moment on. A
    version whose bundle is missing or damaged, or was made for other features than this program's, is refused.
    """
    here, who = context.get(), current_account().username
    blobs, now = Blobs(here.settings.blobs), here.now()
    try:
        with sql.writing(here.engine) as connection:
            trained = models.trained(connection, version)
            placed = registry.promote(connection, blobs, trained, who, change.reason, now, change.instead_of)
    except RefusedError as error:
        raise Problem(409, "Not promoted", str(error)) from error
    return _announced(placed.id)


@bp.post("/rollback")
@bp.auth_required(auth, roles=OPERATOR)
@bp.input(Reason, arg_name="change")
@bp.output(deployments.Deployment)
@bp.doc(responses={409: "There is nothing to go back to, or it cannot serve; nothing has changed"})
def roll_back(change: Reason) -> dict[str, Any]:
    """Go back to the version before

    The version that served before the champion serves again. Another rollback goes one version further back, as a
    second undo does, and never to the version that was just left; to have that one again, promote it.
    """
    here, who = context.get(), current_account().username
    blobs, now = Blobs(here.settings.blobs), here.now()
    try:
        with sql.writing(here.engine) as connection:
            placed = registry.roll_back(connection, blobs, who, change.reason, now, change.instead_of)
    except RefusedError as error:
        raise Problem(409, "Not rolled back", str(error)) from error
    return _announced(placed.id)


def _announced(deployment: int) -> dict[str, Any]:
    """That deployment as the API shows it; a job lets MLflow's aliases follow."""
    here = context.get()
    owner = current_account().username
    jobs.enqueue(here.engine, "mirror", {}, owner, here.now(), dedupe_key=f"mirror {deployment}")
    with here.engine.connect() as connection:
        (row,) = served.periods(connection, 1, before=deployment + 1)
    return deployments.as_json(row)
