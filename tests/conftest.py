"""The worlds that tests stand in: a home with a migrated database, and the API with a real account for each role."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import argon2
import psycopg
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from backend import accounts, clock
from backend import settings as settings_module
from backend.app import create_app
from backend.flights.sources import nycflights13
from backend.settings import Settings
from backend.store import migrate, sql
from backend.store.documents import Documents, open_documents
from jobs import ingest, training


@pytest.fixture(autouse=True)
def forget_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow writes where it was pointed to into the environment, which processes of a later test would inherit."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


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


@pytest.fixture(name="postgres_url", scope="session")
def make_postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty PostgreSQL server of one's own, which listens on a socket in a folder only."""
    tools = [shutil.which(name) for name in ("initdb", "postgres")]
    if not all(tools):
        pytest.skip("PostgreSQL's initdb and postgres are not installed")
    folder = Path(tempfile.mkdtemp(prefix="pushback-postgres-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        try:
            account = {"user": pwd.getpwnam("postgres").pw_uid}
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no account postgres")
        os.chown(folder, account["user"], -1)
    data, log = folder / "data", tmp_path_factory.mktemp("postgres") / "log"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "cwd": folder, **account}
    subprocess.run([str(tools[0]), "-D", str(data), "-A", "trust", "-U", "pushback"], check=True, **quiet)
    with log.open("w", encoding="utf-8") as errors:
        settings = ["-c", "listen_addresses=", "-k", str(folder), "-c", "fsync=off"]
        server = subprocess.Popen([str(tools[1]), "-D", str(data), *settings], stderr=errors, **quiet)
    try:
        url = f"postgresql://pushback@/postgres?host={folder}"
        for _ in range(300):
            try:
                with closing(psycopg.connect(url)):
                    break
            except psycopg.OperationalError:
                time.sleep(0.1)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(name="queue", params=["sqlite", "postgresql"])
def make_queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine for an empty migrated database, on SQLite and then on PostgreSQL."""
    url = f"sqlite:///{tmp_path}/queue.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    engine = sql.open_engine(url)
    migrate.upgrade(engine)
    yield engine
    with sql.writing(engine) as connection:
        for table in sql.metadata.tables.values():
            connection.execute(table.delete())
    engine.dispose()


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


WORLD_FROM, WORLD_UNTIL = date(2013, 2, 13), date(2013, 4, 1)


@dataclass(frozen=True)
class World:
    """A small real installation: the facts, with a champion that was trained on them and serves."""

    settings: Settings
    until: int


@dataclass(frozen=True)
class Facts:
    """Every fourth flight number of seven weeks and their weather, ingested into a database that knows nothing else."""

    database: Path
    until: int

    def installed(self, home: Path) -> Settings:
        """The settings of a new installation that holds these facts, and in which nothing was ever trained."""
        home.mkdir(parents=True)
        shutil.copyfile(self.database, home / "live.db")
        return settings_module.load({"PUSHBACK_HOME": str(home)})


@pytest.fixture(name="facts", scope="session")
def make_facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The facts of the small world."""
    database = tmp_path_factory.mktemp("facts") / "live.db"
    engine = sql.open_engine(f"sqlite:///{database}")
    migrate.upgrade(engine)
    until = ingest.cut(WORLD_UNTIL)
    since = ingest.cut(WORLD_FROM)
    frame = nycflights13.flights_until(date(2013, 4, 3))
    days = frame["month"] * 100 + frame["day"]
    thinned = frame[(days >= 213) & (frame["flight"] % 4 == 0)]
    weather = nycflights13.read_weather()
    weather = weather._replace(events=[event for event in weather.events if event.at >= since])
    ingest.ingest(engine, [weather, nycflights13.read(thinned)], until, quiet=True)
    engine.dispose()
    return Facts(database, until)


@pytest.fixture(name="world", scope="session")
def make_world(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world of tests that only read it. Whoever changes something takes `world_copy`."""
    settings = facts.installed(tmp_path_factory.mktemp("world") / "home")
    training.run(settings, {"actor": "tests"}, lambda *_: None, lambda _: None)
    return World(settings, facts.until)


@pytest.fixture(name="world_copy")
def make_world_copy(world: World, tmp_path: Path) -> World:
    """A copy of the small world, to change, without what other tests may have made: accounts, keys and answers."""
    home = tmp_path / "copy"
    shutil.copytree(world.settings.home, home, ignore=shutil.ignore_patterns("documents.json*", "secrets"))
    copied = World(settings_module.load({"PUSHBACK_HOME": str(home)}), world.until)
    engine = sql.open_engine(copied.settings.database_url)
    with sql.writing(engine) as connection:
        connection.execute(sql.predictions.delete())
    engine.dispose()
    return copied
