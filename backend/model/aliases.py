"""MLflow's aliases champion, challenger and previous, and each version's verdict, made to say what the stores say."""

import logging
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy import Connection, Engine

from backend.model import tracking
from backend.settings import Settings
from backend.store import deployments, ledger
from backend.store.deployments import Roles

TAG_LENGTH = 4000  # MLflow refuses longer values

log = logging.getLogger(__name__)


def mirror(settings: Settings, engine: Engine) -> Roles:
    """Let MLflow's aliases and tags say what `deployments` and the ledger say; returns which version is what.

    It may be repeated, and is what completes a change of the champion that was cut short. A version that the ledger
    does not know, since its training was cut short, gets a tag that says so. Raises TrackingError.
    """
    tracking.connect(settings)
    mirrored: Roles | None = None
    while True:
        with tracking.said_in_words(settings):
            known = {int(one.version): one for one in MlflowClient().search_model_versions(f"name='{tracking.MODEL}'")}
        with engine.connect() as connection:
            serving = deployments.current(connection)
            roles = deployments.roles(connection, None if serving is None else serving.version)
            tags = {version: _tags(connection, version) for version in known}
        if roles == mirrored:
            return roles
        with tracking.said_in_words(settings):
            _write(roles, known, tags)
        mirrored = roles  # unless what serves changed meanwhile: then once more


def _write(roles: Roles, known: dict[int, Any], tags: dict[int, dict[str, str]]) -> None:
    client = MlflowClient()
    for version, wanted in tags.items():
        for name, value in wanted.items():
            if known[version].tags.get(name) != value:
                client.set_model_version_tag(tracking.MODEL, str(version), name, value)
    for alias in Roles._fields:
        version, named = getattr(roles, alias), version_with(alias)
        if version is not None and version not in known:
            log.warning("MLflow has no version %s, which is the %s: its alias is taken away", version, alias)
        if version in known and version != named:
            client.set_registered_model_alias(tracking.MODEL, alias, str(version))
        elif version not in known and named is not None:
            client.delete_registered_model_alias(tracking.MODEL, alias)


def _tags(connection: Connection, version: int) -> dict[str, str]:
    """The verdict on a version, and its sentence."""
    compared = ledger.verdict_on(connection, version)
    if compared is not None:
        return {"verdict": compared["verdict"], "sentence": compared["sentence"][:TAG_LENGTH]}
    if ledger.training_of(connection, version) is not None:
        return {"verdict": "first", "sentence": "There was no champion to compare it with."}
    return {"verdict": "unrecorded", "sentence": "Its training ended before it was recorded: it never serves."}


def version_with(alias: str) -> int | None:
    """The version that an alias names, or None."""
    try:
        return int(MlflowClient().get_model_version_by_alias(tracking.MODEL, alias).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
