"""/health: whether the process lives, and whether it can do its work."""

from typing import Any, Literal

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from backend.api import context
from backend.api.context import Context
from backend.api.errors import Problem
from backend.model.serving import NoChampionError
from backend.store import events as log
from backend.store import migrate
from backend.store.shared import DocumentsError

bp = APIBlueprint("health", __name__, tag="Health", url_prefix="/health")

WITHOUT_TABLES = ("health", "openapi", "swagger_ui", "kinds")

NOT_READY: dict[int | str, Any] = {
    503: {
        "description": "Not ready: the body says what is missing",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ready"}}},
    }
}


class Live(BaseModel):
    """The process lives."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Whether predictions can be had, and what is missing, in sentences.

    Degraded: an older version answers, or a challenger that should run in the shadow does not.
    """

    status: Literal["ok", "degraded", "not ready"]
    missing: list[str]


@bp.get("/live")
@bp.output(Live)
def live() -> dict[str, str]:
    """Does the process live?

    Says so as long as it can answer anything; needs neither database nor model.
    """
    return {"status": "ok"}


@bp.get("/ready")
@bp.output(Ready)
@bp.doc(responses=NOT_READY)
def ready() -> tuple[dict[str, Any], int]:
    """Can predictions be had?

    503 with what is missing, in sentences, while they cannot; `degraded` while an older version answers.
    """
    try:
        here = context.get()
    except Problem as problem:
        return {"status": "not ready", "missing": [problem.detail]}, problem.status
    missing = what_is_missing(here)
    if missing:
        return {"status": "not ready", "missing": missing}, 503
    # Still 200: a probe that failed would take away the older version that goes on answering.
    with here.engine.connect() as connection:
        _, broken = here.serving.champion(connection)
    missing = broken + here.serving.shadow_faults()
    return {"status": "degraded" if missing else "ok", "missing": missing}, 200


def what_is_missing(here: Context) -> list[str]:
    """What must be done before predictions can be had, a sentence each."""
    missing: list[str] = []
    try:
        here.documents.tables()
    except (DocumentsError, OSError) as error:
        missing.append(f"The documents cannot be read: {error}.")
    try:
        fault = migrate.fault(here.engine)
        if fault is not None:
            return [*missing, fault]
        with here.engine.connect() as connection:
            if log.data_clock(connection) is None:
                missing.append("There are no facts yet: run `python -m jobs.ingest`.")
            here.serving.champion(connection)
    except NoChampionError as error:
        missing.append(str(error))
    except SQLAlchemyError:
        missing.append("The database cannot be reached: check DATABASE_URL and that the server runs.")
    return missing


def refuse_other_tables() -> None:
    """Raises Problem 503 where the database's tables are not this program's, for every call that may need them."""
    if request.endpoint is None or request.blueprint in WITHOUT_TABLES:
        return
    fault = context.get().schema.fault()
    if fault is not None:
        raise Problem(503, "Not ready", fault, headers={"Retry-After": "5"})
