"""/models: the versions that were trained, with their figures and lineage, from the ledger."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from backend.api import context, paging, versions
from backend.api.auth import VIEWER, auth
from backend.api.errors import Problem
from backend.model.serving import NoChampionError
from backend.store import deployments, ledger
from backend.store.deployments import Roles

bp = APIBlueprint("models", __name__, tag="Models", url_prefix="/models")


class Versions(BaseModel):
    """A page of versions."""

    items: list[versions.Version]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Paged):
    """Which versions."""

    sort: Literal["version", "-version"] = paging.sort("-version")
    limit: int = paging.limit(20, 100)


def roles(connection: Connection) -> Roles:
    """Which version is what. The champion is the one that answers, even while a newer one cannot be loaded."""
    try:
        answering = context.get().serving.champion(connection)[0].version
    except NoChampionError:
        answering = None
    return deployments.roles(connection, answering)


def trained(connection: Connection, version: int) -> dict[str, Any]:
    """What the training of that version said. Raises Problem 404."""
    found = ledger.training_of(connection, version) if version < 10**9 else None
    if found is None:
        raise Problem(404, "No such version", "No version with this number was trained: GET /models lists them.")
    return found


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(Versions)
def listing(query: Query) -> dict[str, Any]:
    """List versions

    Every version that was trained, newest first, with its figures beside the baseline's.
    """
    with context.get().engine.connect() as connection:
        held = roles(connection)
        rows, following = ledger.trainings(connection, query.page)
        items = [versions.as_json(connection, row.evidence, held) for row in rows]
    return {"items": items, "next": following}


@bp.get("/<int:version>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(versions.Version)
def get(version: int) -> dict[str, Any]:
    """One version

    Its figures and lineage, its role now, and how it compared with the champion of its day.
    """
    with context.get().engine.connect() as connection:
        return versions.as_json(connection, trained(connection, version), roles(connection))
