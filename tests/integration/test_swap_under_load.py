"""Promotion and rollback under load: both workers swap at once, no request fails, the ledger has it."""

import http.client
import itertools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from backend import accounts, clock
from backend.settings import Settings
from backend.store.documents import open_documents
from jobs.launch import free, parts
from tests.conftest import NOON, PASSWORD, World
from tests.integration import versions

CLIENTS = 3
ANSWERS = 40  # that are waited for before something changes, and after
PATIENCE_SECONDS = 60


@pytest.fixture(name="installation")
def make_installation(world_copy: World, password_hash: str) -> World:
    """A world in which version 1 serves, 2 waits and answers otherwise, and a viewer and an operator have accounts."""
    versions.add(world_copy, 2, calibration={"slope": 0.6, "intercept": 0.4})
    documents = open_documents(world_copy.settings.documents)
    for role in ("viewer", "operator"):
        accounts.add(documents, role, password_hash, role, NOON)
    return World(replace(world_copy.settings, api_port=free.port()), world_copy.until)


@pytest.fixture(name="api")
def start_api(installation: World, tmp_path: Path) -> Iterator[Settings]:
    """The API as `make up` starts it: gunicorn with two workers."""
    settings, log = installation.settings, tmp_path / "api.log"
    environment = os.environ | parts.environment(settings)
    with log.open("wb") as output:
        server = subprocess.Popen(parts.commands(settings)["api"], env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ready(settings) and server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert ready(settings), log.read_text()
        yield settings
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(PATIENCE_SECONDS)
        finally:
            server.kill()


def ready(settings: Settings) -> bool:
    try:
        return call(settings, "GET", "/health/ready").status == 200
    except ConnectionError:
        return False


class Response(NamedTuple):
    """What came back; when it was asked for and had come, in monotonic seconds."""

    sent: float
    came: float
    status: int
    body: Any


def call(settings: Settings, method: str, path: str, body: str = "", **headers: str) -> Response:
    """One call over a connection of its own, so that either worker may take it."""
    sent = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", settings.api_port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        return Response(sent, time.monotonic(), answer.status, body)
    finally:
        connection.close()


def log_in(settings: Settings, role: str) -> dict[str, str]:
    """The headers of that role's calls."""
    form = urlencode({"grant_type": "password", "username": role, "password": PASSWORD})
    answer = call(settings, "POST", "/token", form, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200, answer
    return {"Authorization": f"Bearer {answer.body['access_token']}", "Content-Type": "application/json"}


class Clients:
    """Threads that ask about one flight, every time as of another second, until they are stopped."""

    def __init__(self, ask: Callable[[int], Response]) -> None:
        self.responses: list[Response] = []
        self.failures: list[BaseException] = []
        self._ask, self._seconds, self._stopped = ask, itertools.count(), threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.responses.append(self._ask(next(self._seconds)))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(error)

    def wait_for_more(self) -> None:
        """Until ANSWERS more have come."""
        enough, deadline = len(self.responses) + ANSWERS, time.monotonic() + PATIENCE_SECONDS
        while len(self.responses) < enough and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.responses) >= enough, self.failures[-3:]


def test_a_swap_under_load_fails_no_request_and_both_ways_are_in_the_ledger(installation: World, api: Settings) -> None:
    viewer, operator = log_in(api, "viewer"), log_in(api, "operator")
    since = clock.iso(installation.until + 2 * clock.HOUR)
    flight = call(api, "GET", f"/flights?from={since}&limit=1", **viewer).body["items"][0]["id"]

    def ask(seconds: int) -> Response:
        question = {"flights": [{"id": flight}], "as_of": clock.iso(installation.until - seconds)}
        return call(api, "POST", "/predict", json.dumps(question), **viewer)

    with Clients(ask) as clients:
        clients.wait_for_more()
        promoted = change(api, "/models/2/promote", operator)
        clients.wait_for_more()
        back = change(api, "/models/rollback", operator)
        clients.wait_for_more()

    assert not clients.failures
    assert {response.status for response in clients.responses} == {200}
    # Whoever asks after a change was confirmed is answered by the version that it named, whichever worker answers.
    first, second, third = (
        [one for one in clients.responses if since < one.sent and one.came < until]
        for since, until in ((0, promoted.sent), (promoted.came, back.sent), (back.came, float("inf")))
    )
    assert [versions_of(part) for part in (first, second, third)] == [{"1"}, {"2"}, {"1"}]
    assert min(len(part) for part in (first, second, third)) >= ANSWERS - CLIENTS
    assert not {one["probability"] for one in answers(first)} & {one["probability"] for one in answers(second)}

    decisions = call(api, "GET", "/decisions?limit=2", **viewer).body["items"]
    assert [(one["kind"], one["actor"], one["evidence"]["version"]) for one in decisions] == [
        ("rolled_back", "operator", 1),
        ("promoted", "operator", 2),
    ]
    assert all(one["summary"].endswith(": a rehearsal") for one in decisions)


def change(api: Settings, path: str, headers: dict[str, str]) -> Response:
    """A promotion or a rollback, which is answered within the 5 s that a swap may take."""
    response = call(api, "POST", path, json.dumps({"reason": "a rehearsal"}), **headers)
    assert response.status == 200 and response.came - response.sent < 5, response
    return response


def answers(responses: list[Response]) -> list[dict[str, Any]]:
    return [response.body["predictions"][0] for response in responses]


def versions_of(responses: list[Response]) -> set[str]:
    return {answer["model_version"] for answer in answers(responses)}
