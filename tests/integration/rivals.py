"""Versions of the small world one after another, and what the ledger says of them."""

from datetime import datetime
from typing import Any

from backend import clock
from backend.model import registry, train
from backend.settings import Settings
from backend.store import ledger, sql
from backend.store.blobs import Blobs
from jobs import training
from tests.conftest import World
from tests.integration import versions

EARLY = "2013-03-04T05:00:00Z"
SMALL = {**train.PARAMETERS, "num_iterations": 40, "num_leaves": 15}


def train_version(settings: Settings, **params: Any) -> dict[str, Any]:
    """Train as a job does, with fewer trees; returns its result."""
    asked = {"actor": "tests", "parameters": SMALL} | params
    return training.run(settings, asked, lambda *_: None, lambda _: None)


def add_gloomy(world: World, version: int) -> None:
    """A version that is nearly sure of every flight that it will be disrupted."""
    versions.add(world, version, calibration={"slope": 0.1, "intercept": 6.0})


def promote(world: World, version: int) -> None:
    """Let a version serve because somebody says so."""
    blobs = Blobs(world.settings.blobs)
    with sql.writing(sql.open_engine(world.settings.database_url)) as connection:
        trained = ledger.training_of(connection, version)
        assert trained is not None
        registry.promote(connection, blobs, trained, "operator", "for this test", 1, None)


def decisions(settings: Settings, kind: str | None = None) -> list[Any]:
    """The ledger's rows of one kind, or all, oldest first."""
    table = sql.decisions
    statement = table.select() if kind is None else table.select().where(table.c.kind == kind)
    with sql.open_engine(settings.database_url).connect() as connection:
        return list(connection.execute(statement.order_by(table.c.id)).all())


def epoch(iso: str) -> int:
    """That moment in epoch seconds."""
    return clock.to_epoch(datetime.fromisoformat(iso))
