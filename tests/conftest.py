"""The worlds that tests stand in: a home with a migrated database, and the API with a real account for each role."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import argon2
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from backend import accounts, clock
from backend.app import create_app
from backend.settings import Settings
from backend.store import sql
from backend.store.documents import Documents, open_documents
from jobs import training
from tests import databases as databases_module
from tests import small_world
from tests.databases import Databases

# The threads of a fit sleep while they wait for each other, as they do wherever make starts them.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture(autouse=True)
def forget_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow writes where it was pointed to into the environment, which processes of a later test would inherit."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that stands in a world runs on SQLite and on PostgreSQL, unless its mark says why on one alone."""
    if "databases" in metafunc.fixturenames:
        only = [kind for kind in databases_module.KINDS if metafunc.definition.get_closest_marker(kind) is not None]
        kinds = only or databases_module.KINDS
        metafunc.parametrize("databases", kinds, indirect=True, scope="session")


@pytest.fixture(name="databases", scope="session")
def make_databases(request: pytest.FixtureRequest) -> Databases:
    """The kind of database in which a test's worlds stand."""
    return Databases(None if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


@pytest.fixture(name="home")
def make_home(databases: Databases, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an installation of its own, with an empty database at the newest schema."""
    yield databases.create(tmp_path / "home")
    databases.drop(tmp_path / "home")


@pytest.fixture(name="engine")
def make_engine(home: Settings) -> Iterator[Engine]:
    """An engine for the database of `home`."""
    engine = sql.open_engine(home.database_url)
    yield engine
    engine.dispose()


@pytest.fixture(name="postgres_url", scope="session")
def make_postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server, and of its first database, which is empty."""
    with databases_module.postgresql() as url:
        yield url


@pytest.fixture(name="queue")
def make_queue(engine: Engine) -> Engine:
    """The same, where nothing but the database is asked for."""
    return engine


NOON = clock.to_epoch(datetime(2026, 11, 23, 12, tzinfo=UTC))
PASSWORD = "the password of each test account"


@dataclass(frozen=True)
class Api:
    """The API in this process: one real account a role, named like it, and a clock that stands until it is moved."""

    app: APIFlask
    settings: Settings
    documents: Documents
    engine: Engine
    accounts: dict[str, accounts.Account]
    clock: list[int]

    def client(self) -> FlaskClient:
        """A client that is not logged in."""
        return self.app.test_client()

    def token(self, role: str) -> str:
        """A token by the password grant."""
        form = {"grant_type": "password", "username": role, "password": PASSWORD}
        answer = self.client().post("/token", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["access_token"])

    def bearer(self, role: str) -> dict[str, str]:
        """The header of a request by that role."""
        return {"Authorization": f"Bearer {self.token(role)}"}


@pytest.fixture(name="password_hash", scope="session")
def make_password_hash() -> str:
    """One real Argon2 hash of PASSWORD, made once: each takes 0.1 s."""
    return argon2.PasswordHasher().hash(PASSWORD)


@pytest.fixture(name="api")
def make_api(home: Settings, engine: Engine, password_hash: str) -> Api:
    """The API over `home`: real authentication, real stores."""
    documents = open_documents(home.documents)
    made = {role: accounts.add(documents, role, password_hash, role, NOON) for role in accounts.ROLES}
    moment = [NOON]
    return Api(create_app(home, lambda: moment[0]), home, documents, engine, made, moment)


@dataclass(frozen=True)
class World:
    """A small real installation: the facts, with a champion that was trained on them and serves."""

    settings: Settings
    until: int


@dataclass(frozen=True)
class Facts:
    """Every fourth flight number of seven weeks and their weather, ingested into a database that knows nothing else."""

    databases: Databases
    home: Path
    until: int

    def installed(self, home: Path) -> Settings:
        """The settings of a new installation that holds these facts, and in which nothing was ever trained."""
        return self.databases.copy(self.home, home)


@pytest.fixture(name="facts", scope="session")
def make_facts(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The facts of the small world."""
    home = tmp_path_factory.mktemp("facts")
    engine = sql.open_engine(databases.create(home).database_url)
    until = small_world.fill(engine)
    engine.dispose()
    return Facts(databases, home, until)


def enter(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands that run in this process, or are started by it, find this installation in the environment."""
    monkeypatch.setenv("PUSHBACK_HOME", str(settings.home))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)


def copied(databases: Databases, source: Path, home: Path) -> Settings:
    """The settings of a copy of a whole installation, to whose database nobody is connected."""
    shutil.copytree(source, home, ignore=shutil.ignore_patterns("documents.json*", "secrets"))
    return databases.copy(source, home)


@pytest.fixture(name="world", scope="session")
def make_world(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world of tests that only read it. Whoever changes something takes `world_copy`."""
    settings = facts.installed(tmp_path_factory.mktemp("world") / "home")
    training.run(settings, {"actor": "tests"}, lambda *_: None, lambda _: None)
    return World(settings, facts.until)


@pytest.fixture(name="untouched", scope="session")
def make_untouched(facts: Facts, world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a copy of the small world that nobody ever opens."""
    home = tmp_path_factory.mktemp("untouched") / "home"
    facts.databases.disconnect(world.settings.home)
    engine = sql.open_engine(copied(facts.databases, world.settings.home, home).database_url)
    with sql.writing(engine) as connection:
        connection.execute(sql.predictions.delete())
    engine.dispose()
    return home


@pytest.fixture(name="world_copy")
def make_world_copy(facts: Facts, untouched: Path, tmp_path: Path) -> Iterator[World]:
    """A copy of the small world, to change, without what other tests may have made: accounts, keys and answers."""
    yield World(copied(facts.databases, untouched, tmp_path / "copy"), facts.until)
    facts.databases.drop(tmp_path / "copy")
