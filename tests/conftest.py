"""The worlds that tests stand in: a home with a migrated database, and the API with a real account for each role."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import argon2
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from backend import accounts, clock
from backend import settings as settings_module
from backend.app import create_app
from backend.settings import Settings
from backend.store import migrate, sql
from backend.store.documents import Documents, open_documents


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
    time = [NOON]
    return Api(create_app(home, lambda: time[0]), home, documents, engine, made, time)
