"""/health: whether the process lives, and whether it can do its work."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from backend.api import context
from backend.api.context import Context
from backend.model.serving import NoChampionError
from backend.store import events as log
from backend.store import migrate

bp = APIBlueprint("health", __name__, tag="Health", url_prefix="/health")

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
    """Does the process live?"""
    return {"status": "ok"}


@bp.get("/ready")
@bp.output(Ready)
@bp.doc(responses=NOT_READY)
def ready() -> tuple[dict[str, Any], int]:
    """Can predictions be had?"""
    here = context.get()
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
        if not migrate.at_head(here.engine):
            return ["The database does not have this version's tables: run `python -m jobs.ingest`, or `make up`."]
        with here.engine.connect() as connection:
            if log.data_clock(connection) is None:
                missing.append("There are no facts yet: run `python -m jobs.ingest`.")
            here.serving.champion(connection)
    except NoChampionError as error:
        missing.append(str(error))
    except SQLAlchemyError:
        return ["The database cannot be reached: check DATABASE_URL and that the server runs."]
    return missing
