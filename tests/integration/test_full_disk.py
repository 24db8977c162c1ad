"""A state folder on a full file system: what is answered then, and that all is well again when there is room."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from backend import accounts, clock
from backend import settings as settings_module
from backend.api.batches import LEFT_FREE_BYTES
from backend.settings import Settings
from backend.store import sql
from backend.store.documents import open_documents
from tests.conftest import NOON, PASSWORD, World
from tests.integration import versions
from tests.integration.running import Running, serving
from tests.integration.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.sqlite("a state folder holds no PostgreSQL")
MINUTES = 40


ALERT = {"status": "firing", "labels": {"alertname": "ModelQualityDown"}, "startsAt": "2013-04-01T04:00:00Z"}
# What each call that writes answers where there is room.
WELL = {
    "login": 200,
    "refresh": 200,
    "session": 201,
    "observations": 200,
    "upload": 202,
    "training": 202,
    "promotion": 200,
    "rollback": 200,
    "account": 201,
    "account change": 200,
    "settings": 200,
    "API token": 201,
    "alert": 200,
}


@dataclass
class Asked:
    """An API on a small disk: whatever it answers has to be what its own document says of the call."""

    running: Running
    settings: Settings
    until: int
    document: dict[str, Any]
    metrics: str
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ask(self, method: str, rule: str, role: str = "", path: str = "", **more: Any) -> httpx.Response:
        """The answer to a call, whose address is `path` where that is not its rule."""
        if role:
            more.setdefault("headers", {})["Authorization"] = f"Bearer {self.tokens[role]['access_token']}"
        answer = self.running.client.request(method, path or rule, **more)
        documented = self.document["paths"][rule][method.lower()]["responses"]
        assert str(answer.status_code) in documented, (method, rule, answer.text)
        assert answer.status_code != 500, answer.text
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["detail"].endswith((".", "…")), answer.text
        assert answer.status_code != 503 or answer.headers["Retry-After"]
        return answer

    def log_in(self, role: str) -> httpx.Response:
        """The answer to a password."""
        form = {"grant_type": "password", "username": role, "password": PASSWORD}
        return self._token(role, form)

    def refresh(self, role: str) -> httpx.Response:
        """The answer to that role's refresh token."""
        return self._token(role, {"grant_type": "refresh_token", "refresh_token": self.tokens[role]["refresh_token"]})

    def _token(self, role: str, form: dict[str, str]) -> httpx.Response:
        answer = self.ask("POST", "/token", data=form)
        if answer.status_code == 200:
            self.tokens[role] = answer.json()
        return answer

    def predict(self, flight: str, minutes: int) -> httpx.Response:
        """The answer about a flight as of so many minutes ago."""
        question = {"flights": [{"id": flight}], "as_of": clock.iso(self.until - minutes * clock.MINUTE)}
        return self.ask("POST", "/predict", "viewer", json=question)

    def writes(self) -> dict[str, httpx.Response]:
        """The answers to one call of each kind that writes."""
        batch = {"as_of": clock.iso(self.until + clock.HOUR), "events": [weather()]}
        csv = b"carrier,flight,origin,dest,scheduled_departure\r\nUA,1545,EWR,IAH,2013-04-01T09:15:00Z\r\n"
        ends = {"name": "a script", "role": "viewer", "expires_at": clock.iso(clock.wall() + clock.DAY)}
        account = {"username": "newcomer", "password": "a long password of theirs", "role": "viewer"}
        alert = {"receiver": "pushback", "status": "firing", "alerts": [ALERT]}
        reason = {"reason": "a rehearsal"}
        return {
            "login": self.log_in("analyst"),
            "refresh": self.refresh("feeder"),
            "session": self.ask("POST", "/sessions", json={"username": "viewer", "password": PASSWORD}),
            "observations": self.ask("POST", "/observations", "feeder", json=batch),
            "upload": self.ask(
                "POST", "/predictions/batch", "analyst", content=csv, headers={"Content-Type": "text/csv"}
            ),
            "training": self.ask("POST", "/training", "operator", json={}),
            "promotion": self.ask("POST", "/models/{version}/promote", "operator", "/models/2/promote", json=reason),
            "rollback": self.ask("POST", "/models/rollback", "operator", json=reason),
            "account": self.ask("POST", "/accounts", "admin", json=account),
            "account change": self.ask("PATCH", "/accounts/{id}", "admin", self.metrics, json={"disabled": True}),
            "settings": self.ask("PUT", "/settings/{name}", "admin", "/settings/costs", json={"miss": 5}),
            "API token": self.ask("POST", "/accounts/{id}/tokens", "viewer", "/accounts/me/tokens", json=ends),
            "alert": self.ask("POST", "/webhooks/alerts", "alerts", json=alert),
        }

    def reads(self) -> set[int]:
        """The statuses of what only reads, the board among it."""
        calls = ("/flights", "/status", "/models", "/jobs", "/decisions", "/deployments", "/health/ready")
        return {self.ask("GET", rule, "viewer").status_code for rule in calls}


def weather() -> dict[str, Any]:
    return {"kind": "weather", "station": "EWR", "hour": "2013-04-01T03:00:00Z", "temp": 40.5}


@contextmanager
def api_on(disk: SmallDisk, world: World, password_hash: str, log: Path) -> Iterator[Asked]:
    """The API with all its state, and its logs, on that disk; every role is logged in."""
    home = disk.folder / "home"
    shutil.copytree(world.settings.home, home)
    settings = settings_module.load({"PUSHBACK_HOME": str(home)})
    documents = open_documents(settings.documents)
    made = {role: accounts.add(documents, role, password_hash, role, NOON).id for role in accounts.ROLES}
    with serving(settings, log, LOG_FOLDER=str(home / "logs")) as running:
        document = running.client.get("/openapi.json").json()
        asked = Asked(running, settings, world.until, document, f"/accounts/{made['metrics']}")
        assert {asked.log_in(role).status_code for role in accounts.ROLES} == {200}
        yield asked


def logged(asked: Asked) -> list[float]:
    """The probabilities in the log of predictions, by `as_of`, after the database was found to be whole."""
    with sql.open_engine(asked.settings.database_url).connect() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
        return list(connection.scalars(select(sql.predictions.c.probability).order_by(sql.predictions.c.as_of.desc())))


def test_on_a_full_disk_every_call_answers_as_documented_and_all_is_well_when_there_is_room(
    world_copy: World, password_hash: str, tmp_path: Path
) -> None:
    versions.add(world_copy, 2)
    with small_disk(tmp_path / "disk") as disk, api_on(disk, world_copy, password_hash, tmp_path / "log") as asked:
        since = f"/flights?from={clock.iso(asked.until + 2 * clock.HOUR)}&limit=1"
        flight = asked.ask("GET", "/flights", "viewer", since).json()["items"][0]["id"]
        first = asked.predict(flight, 0)
        assert first.status_code == 200 and asked.reads() == {200}

        disk.fill()
        # What fits into blocks that the database has already is still written, and answered.
        told = {minutes: asked.predict(flight, minutes) for minutes in range(1, MINUTES)}
        refused = {answer.json()["title"] for answer in told.values() if answer.status_code == 503}
        assert refused == {"Not logged"}
        assert asked.predict(flight, 0).json() == first.json(), "what was answered before needs no room"
        full = {name: answer.status_code for name, answer in asked.writes().items()}
        assert full.pop("rollback") == 409, "nothing was promoted, so that there is nothing to go back to"
        assert set(full.values()) <= {503, 507}
        assert asked.reads() == {200}

        disk.make_room()
        again = {minutes: asked.predict(flight, minutes) for minutes in range(MINUTES)}
        for minutes, answer in told.items():
            assert answer.status_code == 503 or answer.json() == again[minutes].json()
        well = {name: answer.status_code for name, answer in asked.writes().items()}
        assert well == WELL | ({} if disk.size > LEFT_FREE_BYTES else {"upload": 507})
        assert asked.reads() == {200}
        assert logged(asked) == [again[minutes].json()["predictions"][0]["probability"] for minutes in range(MINUTES)]
