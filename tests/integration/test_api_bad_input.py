"""Whatever is sent, the answer is problem details: through the test client, and through gunicorn as it is started."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from backend import accounts
from backend.api import problems
from backend.store.documents import open_documents
from jobs.launch import free, parts
from tests.conftest import NOON, PASSWORD, Facts, copied
from tests.integration.bad_input import CASES, Case
from tests.integration.served import PROBLEM, Served


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


Send = Callable[[Case], Answer]


def in_process(served: Served) -> Send:
    def send(case: Case) -> Answer:
        headers = {**served.headers, **case.headers}
        answer = served.client.open(case.target, method=case.method, data=case.body, headers=headers)
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers}, answer.data)

    return send


@pytest.fixture(name="port", scope="module")
def start_server(
    facts: Facts, untouched: Path, password_hash: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """The port of the API as `make up` starts it, over a world of its own: two processes share a SQLite file only while
    neither copies it."""
    folder = tmp_path_factory.mktemp("gunicorn")
    settings = replace(copied(facts.databases, untouched, folder / "home"), api_port=free.port())
    accounts.add(open_documents(settings.documents), "viewer", password_hash, "viewer", NOON)
    log = folder / "log"
    with log.open("wb") as output:
        environment = os.environ | parts.environment(settings)
        server = subprocess.Popen(parts.commands(settings)["api"], env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and server.poll() is None and not _listens(settings.api_port):
            time.sleep(0.1)
        assert _listens(settings.api_port), log.read_text()
        yield settings.api_port
        assert "Traceback" not in log.read_text()
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        finally:
            server.kill()
            facts.databases.drop(settings.home)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def through_gunicorn(port: int) -> Send:
    form = urlencode({"grant_type": "password", "username": "viewer", "password": PASSWORD})
    viewer: dict[str, str] = {}

    def send(case: Case) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = case.body.encode() if isinstance(case.body, str) else case.body
        sent = {name: value.encode("latin-1") for name, value in {**viewer, **case.headers}.items()}
        try:
            connection.putrequest(case.method, case.target, skip_host="Host" in sent, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    said = send(Case("POST", "/token", "", "", form, {"Content-Type": "application/x-www-form-urlencoded"}))
    viewer["Authorization"] = f"Bearer {json.loads(said.body)['access_token']}"
    return send


@pytest.fixture(name="send", params=["in process", "through gunicorn"], scope="module")
def make_send(request: pytest.FixtureRequest, served: Served) -> Send:
    """Sends a case by a viewer, to the application in this process and then to gunicorn."""
    if request.param == "in process":
        return in_process(served)
    return through_gunicorn(request.getfixturevalue("port"))


@pytest.mark.parametrize("name", CASES)
def test_what_is_bad_gets_problem_details(send: Send, name: str) -> None:
    case = CASES[name]
    answer = send(case)
    if not case.kind:  # junk that HTTP lets a server ignore
        assert answer.status == 200
        return
    body = told(answer)
    kind = problems.BY_NAME[case.kind]
    assert (body["type"], body["title"]) == (f"/problems/{case.kind}", kind.title), body
    assert answer.status in kind.statuses
    assert case.word in answer.body.decode()
    for place in body["errors"]:
        assert place["reason"] and ("pointer" in place) != ("parameter" in place)


def told(answer: Answer) -> dict[str, Any]:
    """The problem details of an answer that has them."""
    assert answer.headers["content-type"] == PROBLEM, answer
    body: dict[str, Any] = json.loads(answer.body)
    assert {"type", "title", "status", "detail", "errors"} <= set(body)
    assert body["status"] == answer.status and body["detail"]
    assert "Traceback" not in body["detail"] and b"<html" not in answer.body.lower()
    return body


def test_every_call_is_there_with_a_trailing_slash_too(send: Send) -> None:
    for path in ("/flights", "/jobs", "/status", "/models", "/health/live", "/openapi.json"):
        with_slash, without = (send(Case("GET", target, "", "")).status for target in (path + "/", path))
        assert with_slash == without == 200, path


def test_head_works_where_get_does_and_options_says_what_does(send: Send) -> None:
    for path in ("/flights", "/models/1", "/health/ready", "/openapi.json", "/docs/"):
        answer = send(Case("HEAD", path, "", ""))
        assert (answer.status, answer.body) == (200, b""), path
    allowed = send(Case("OPTIONS", "/predict", "", ""))
    assert allowed.status == 200 and set(allowed.headers["allow"].split(", ")) == {"POST", "OPTIONS"}


MALFORMED = {
    "a method that is none": (b"G\x00T / HTTP/1.1\r\n\r\n", 400),
    "a version that is none": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    "a header without a name": (b"GET /health/live HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", 400),
    "two lengths": (b"POST /predict HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    "a length that is none": (b"POST /predict HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc", 400),
    "a length and chunks": (
        b"POST /predict HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "5 KB of query": (b"GET /flights?cursor=" + b"x" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "20 KB of a header": (b"GET /flights HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    "200 headers": (b"GET /flights HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    "chunks that are none": (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_http_gets_problem_details_too(port: int, name: str) -> None:
    sent, status = MALFORMED[name]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        body = told(Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()))
    assert answer.status == status, body


def test_100_kb_of_query_end_the_connection_at_the_worst(port: int) -> None:
    """Gunicorn answers after 4 KB and hangs up: whether a client that still sends sees the answer is up to TCP."""
    try:
        answer = through_gunicorn(port)(Case("GET", "/flights?cursor=" + "x" * 100_000, "", ""))
    except OSError:
        return
    assert answer.status == 400 and told(answer)


def test_100_kb_of_query_are_no_fault_of_the_server(served: Served) -> None:
    answer = in_process(served)(Case("GET", "/flights?cursor=" + "x" * 100_000, "", ""))
    assert told(answer)["errors"][0]["parameter"] == "cursor"
