"""The worlds that tests stand in: a home with a migrated database, and the API with a real account for each role."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from backend import settings as settings_module
from backend.settings import Settings
from backend.store import migrate, sql


@pytest.fixture(name="home")
def make_home(tmp_path: Path) -> Settings:
    """Settings of an installation of its own, with an empty database at the newest schema."""
    settings = settings_module.load({"PUSHBACK_HOME": str(tmp_path / "home")})
    engine = sql.open_engine(settings.database_url)
    migrate.upgrade(engine)
    engine.dispose()
    return settings


@pytest.fixture(name="engine")
def make_engine(home: Settings) -> Engine:
    """An engine for the database of `home`."""
    return sql.open_engine(home.database_url)
