"""Who serves: promotion and rollback, each one transaction of the `deployments` row and its decision in the ledger.

MLflow's aliases mirror what is decided here (backend/model/tracking.py); nothing here needs MLflow.
"""

from typing import Any

from sqlalchemy import Connection, Engine

from backend.model import bundle
from backend.model.bundle import Bundle, BundleError
from backend.store import deployments, ledger, sql
from backend.store import events as log
from backend.store.blobs import Blobs
from backend.store.deployments import Deployment

LINEAGE = ("data_digest", "commit", "libraries", "feature_list", "bundle_sha256")


class RefusedError(RuntimeError):
    """A change of what serves that is not made, and why. Nothing has changed."""


def servable(blobs: Blobs, trained: dict[str, Any]) -> Bundle:
    """The bundle of a version, from what its training said. Raises RefusedError where it could not serve."""
    try:
        return bundle.load(blobs.read(trained["bundle"]), trained["bundle_sha256"])
    except FileNotFoundError as error:
        raise RefusedError(f"Version {trained['version']} cannot serve: its bundle is missing.") from error
    except (OSError, BundleError) as error:
        raise RefusedError(f"Version {trained['version']} cannot serve: {error}.") from error


def promote(
    engine: Engine, blobs: Blobs, trained: dict[str, Any], actor: str, reason: str, now: int, instead_of: int | None
) -> Deployment:
    """Let a version serve because somebody says so; returns its deployment.

    `instead_of` is the champion that the person believes to replace, if they say so. Raises RefusedError for the
    champion itself, for a bundle that cannot serve, and where another version serves by now.
    """
    version = int(trained["version"])
    servable(blobs, trained)
    with sql.writing(engine) as connection:
        serving = _serving(connection, instead_of)
        if serving is not None and serving.version == version:
            raise RefusedError(f"Version {version} is the champion already.")
        summary = f"{actor} promoted version {version}{_in_place_of(serving)}: {reason}"
        return place(connection, trained, "promoted", actor, summary, {"reason": reason}, now)


def roll_back(
    engine: Engine,
    blobs: Blobs,
    actor: str,
    reason: str,
    now: int,
    instead_of: int | None,
    evidence: dict[str, Any] | None = None,
) -> Deployment:
    """Go back to the version that served before; returns its new deployment.

    Raises RefusedError where there is none, where its bundle cannot serve, and where another version than
    `instead_of` serves by now.
    """
    with sql.writing(engine) as connection:
        serving = _serving(connection, instead_of)
        previous = None if serving is None else deployments.before(connection, serving.id)
        if serving is None or previous is None:
            raise RefusedError("There is no version to go back to: none served before the champion.")
        trained = ledger.training_of(connection, previous.version) or {"version": previous.version}
        trained = trained | {"bundle": previous.bundle, "bundle_sha256": previous.bundle_sha256}
        servable(blobs, trained)
        summary = f"{actor} rolled back from version {serving.version} to version {previous.version}: {reason}"
        said = {"reason": reason} | (evidence or {})
        return place(connection, trained, "rolled_back", actor, summary, said, now)


def place(
    connection: Connection,
    trained: dict[str, Any],
    kind: str,
    actor: str,
    summary: str,
    evidence: dict[str, Any],
    now: int,
) -> Deployment:
    """Write the decision (promoted or rolled_back) and the deployment of a version, in the caller's transaction."""
    serving = deployments.current(connection)
    version, data_at = int(trained["version"]), log.data_clock(connection)
    said = {"version": version, "replaces": None if serving is None else serving.version}
    said |= {name: trained.get(name) for name in LINEAGE}
    decision = ledger.decide(connection, kind, now, data_at, actor, summary, said | evidence)
    sha256 = trained["bundle_sha256"]
    deployments.deploy(connection, version, trained["bundle"], sha256, now, data_at, decision)
    placed = deployments.current(connection)
    assert placed is not None
    return placed


def _serving(connection: Connection, instead_of: int | None) -> Deployment | None:
    deployments.lock(connection)
    serving = deployments.current(connection)
    if instead_of is not None and (serving is None or serving.version != instead_of):
        now = "nothing" if serving is None else f"version {serving.version}"
        raise RefusedError(f"Version {instead_of} is not the champion any more: {now} is.")
    return serving


def _in_place_of(serving: Deployment | None) -> str:
    return "" if serving is None else f" in place of version {serving.version}"
