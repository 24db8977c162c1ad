"""Who serves: promotion and rollback, each one transaction of the `deployments` row and its decision in the ledger.

MLflow's aliases mirror what is decided here (backend/model/tracking.py); nothing here needs MLflow.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection

from backend.model import bundle
from backend.model.bundle import Bundle, BundleError
from backend.store import deployments, ledger
from backend.store import events as log
from backend.store.blobs import Blobs
from backend.store.deployments import Deployment

LINEAGE = ("data_digest", "commit", "libraries", "feature_list", "bundle_sha256")


class Judged(NamedTuple):
    """The verdict on a new version against the champion of that moment: see `promotion.Verdict`. `window` says which
    flights were judged, `deployment` which deployment stood then."""

    champion: int
    deployment: int
    verdict: str
    sentence: str
    numbers: dict[str, Any]
    window: dict[str, Any]


class RefusedError(RuntimeError):
    """A change of what serves that is not made, and why. Nothing has changed."""


def record(
    connection: Connection, trained: dict[str, Any], judged: Judged | None, why: str, actor: str, now: int
) -> bool:
    """Write a training and its verdict into the ledger and let the version serve if it shall; returns whether it does.

    Without a champion to be judged against, it serves, and `why` says why. In the caller's transaction. Where another
    champion serves by now than the one it was judged against, the verdict is written down and nothing more.
    """
    deployments.lock(connection)
    version, data_at, serving = trained["version"], log.data_clock(connection), deployments.current(connection)
    auc, brier = trained["metrics"]["auc"], trained["metrics"]["brier"]
    summary = f"Version {version} learned from {trained['flights']:,} flights: AUC {auc:.3f}, Brier {brier:.4f} at 2 h."
    ledger.decide(connection, "trained", now, data_at, actor, summary, trained)
    if judged is not None:
        said = judged._asdict() | {"version": version} | {name: trained[name] for name in LINEAGE}
        if serving is not None and serving.id != judged.deployment:
            said["overtaken_by"] = serving.version
        against = f"Version {version} against version {judged.champion}: {judged.sentence}"
        ledger.decide(connection, "compared", now, data_at, actor, against, said)
        if judged.verdict != "promote" or "overtaken_by" in said:
            return False
        why = judged.sentence
    summary = f"Version {version} becomes the champion{_in_place_of(serving)}: {why}"
    place(connection, trained, "promoted", actor, summary, {"reason": why}, now)
    return True


def servable(blobs: Blobs, trained: dict[str, Any]) -> Bundle:
    """The bundle of a version, from what its training said. Raises RefusedError where it could not serve."""
    try:
        return bundle.read(blobs, trained["bundle"], trained["bundle_sha256"])
    except BundleError as error:
        raise RefusedError(f"Version {trained['version']} cannot serve: {error}.") from error


def promote(
    connection: Connection,
    blobs: Blobs,
    trained: dict[str, Any],
    actor: str,
    reason: str,
    now: int,
    instead_of: int | None,
) -> Deployment:
    """Let a version serve because somebody says so, in the caller's transaction; returns its deployment.

    `instead_of` is the champion that the person believes to replace, if they say so. Raises RefusedError for the
    champion itself, for a bundle that cannot serve, and where another version serves by now.
    """
    version = int(trained["version"])
    serving = _serving(connection, instead_of)
    if serving is not None and serving.version == version:
        raise RefusedError(f"Version {version} is the champion already.")
    servable(blobs, trained)
    summary = f"{actor} promoted version {version}{_in_place_of(serving)}: {reason}"
    return place(connection, trained, "promoted", actor, summary, {"reason": reason}, now)


def roll_back(
    connection: Connection,
    blobs: Blobs,
    actor: str,
    reason: str,
    now: int,
    instead_of: int | None,
    evidence: Mapping[str, Any] = MappingProxyType({}),
) -> Deployment:
    """Go back to the version that served before, in the caller's transaction; returns its new deployment.

    Raises RefusedError where there is none, where its bundle cannot serve, and where another version than
    `instead_of` serves by now.
    """
    serving = _serving(connection, instead_of)
    previous = None if serving is None else deployments.before(connection, serving.id)
    if serving is None or previous is None:
        raise RefusedError("There is no version to go back to: none served before the champion.")
    trained = described(connection, previous)
    servable(blobs, trained)
    summary = f"{actor} rolled back from version {serving.version} to version {previous.version}: {reason}"
    return place(connection, trained, "rolled_back", actor, summary, {"reason": reason, **evidence}, now)


def described(connection: Connection, deployment: Deployment) -> dict[str, Any]:
    """What the training of a deployed version said, with the bundle that was deployed."""
    trained = ledger.training_of(connection, deployment.version) or {"version": deployment.version}
    return trained | {"bundle": deployment.bundle, "bundle_sha256": deployment.bundle_sha256}


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
