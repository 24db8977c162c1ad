"""A kill between any two writes of a promotion or a training: the next start completes it, or nothing has happened."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from backend.model import tracking
from backend.settings import Settings
from backend.store import sql
from jobs import mirror
from jobs.launch import parts
from tests.conftest import Facts, World, copied
from tests.databases import Databases
from tests.integration import rivals, versions


@pytest.fixture(name="two", scope="module")
def make_two(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> World:
    """An installation with a champion and a challenger that was kept."""
    settings = facts.installed(tmp_path_factory.mktemp("two") / "home")
    rivals.train_version(settings, until=rivals.EARLY)
    rivals.train_version(settings)
    return World(settings, facts.until)


@pytest.fixture(name="mine")
def make_mine(two: World, databases: Databases, tmp_path: Path) -> Iterator[World]:
    """A copy of it."""
    databases.disconnect(two.settings.home)
    yield World(copied(databases, two.settings.home, tmp_path / "home"), two.until)
    databases.drop(tmp_path / "home")


def killed(settings: Settings, what: str, place: str, number: int = 1) -> None:
    """Do it in a process that is killed before that write."""
    command = [sys.executable, "-m", "tests.integration.killed", what, place, str(number)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=os.environ | parts.environment(settings)
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def what_stands(world: World) -> tuple[int | None, list[str], int]:
    """Which version serves, the kinds of all decisions, and how many deployments there are."""
    kinds = [row.kind for row in rivals.decisions(world.settings)]
    with sql.open_engine(world.settings.database_url).connect() as connection:
        return versions.serving(world), kinds, len(connection.execute(sql.deployments.select()).all())


def aliases_after_a_start(settings: Settings) -> dict[str, int]:
    """MLflow's aliases after the job that every start of the worker queues."""
    mirror.run(settings, {}, lambda *_: None, lambda _: None)
    client = MlflowClient(tracking_uri=settings.mlflow_uri, registry_uri=settings.mlflow_uri)
    return {alias: int(version) for alias, version in client.get_registered_model(tracking.MODEL).aliases.items()}


@pytest.mark.parametrize("place", ["backend.store.ledger:decide", "backend.store.deployments:deploy"])
def test_a_promotion_that_is_killed_before_its_commit_has_not_happened(mine: World, place: str) -> None:
    before = what_stands(mine)
    killed(mine.settings, "promote", place)
    assert what_stands(mine) == before
    assert aliases_after_a_start(mine.settings) == {"champion": 1, "challenger": 2}


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("backend.model.aliases:mirror", 1),
        ("backend.model.aliases:version_with", 1),
        ("backend.model.aliases:version_with", 2),
        ("backend.model.aliases:version_with", 3),
    ],
)
def test_a_promotion_that_is_killed_after_its_commit_is_completed_at_the_next_start(
    mine: World, place: str, number: int
) -> None:
    killed(mine.settings, "promote", place, number)
    serving, kinds, rows = what_stands(mine)
    assert (serving, kinds[-1], rows) == (2, "promoted", 2)
    assert aliases_after_a_start(mine.settings) == {"champion": 2, "previous": 1}


@pytest.mark.sqlite(
    "each training takes ten seconds; what it commits is what a promotion commits, which is tried on both"
)
@pytest.mark.parametrize(
    "place",
    [
        "backend.model.tracking:log_training",
        "backend.model.bundle:pack",
        "backend.model.registry:record",
        "backend.store.deployments:lock",
    ],
)
def test_a_training_that_is_killed_before_its_record_leaves_a_version_that_never_serves(
    mine: World, place: str
) -> None:
    before = what_stands(mine)
    killed(mine.settings, "train", place)
    assert what_stands(mine) == before
    assert aliases_after_a_start(mine.settings) == {"champion": 1, "challenger": 2}
    client = MlflowClient(tracking_uri=mine.settings.mlflow_uri, registry_uri=mine.settings.mlflow_uri)
    known = client.search_model_versions(f"name='{tracking.MODEL}'")
    assert {one.tags["verdict"] for one in known if int(one.version) > 2} <= {"unrecorded"}
    assert rivals.train_version(mine.settings)["version"] == len(known) + 1, "what was cut short is in nobody's way"
