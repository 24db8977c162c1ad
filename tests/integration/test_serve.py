"""The API as production starts it: one command, real processes, a real port."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.settings import Settings
from tests.integration.running import PATIENCE_SECONDS, ROOT, serving


@contextmanager
def half_sent(port: int) -> Iterator[tuple[http.client.HTTPConnection, bytes]]:
    """A request in flight, and the rest of its body, for which the server waits."""
    body = b"grant_type=password&username=nobody&password=wrong"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.putrequest("POST", "/token")
    connection.putheader("Content-Type", "application/x-www-form-urlencoded")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    time.sleep(0.5)  # until a thread has it
    yield connection, body[10:]
    connection.close()


def test_one_command_serves_on_the_port_that_the_platform_names_and_logs_in_one_shape(
    home: Settings, tmp_path: Path
) -> None:
    with serving(home, tmp_path / "log") as running:
        assert running.client.get("/health/live", headers={"X-Request-ID": "mine"}).json() == {"status": "ok"}
        with socket.create_connection(("127.0.0.1", running.port)) as broken:
            broken.sendall(b"GET /jobs?ticket=s3cr3tS3cr3t HTTP/oops\r\n\r\n")
            assert b"400" in broken.recv(1000)
    lines = running.lines()
    assert {line["part"] for line in lines} == {"api"}
    assert {"gunicorn.error", "pushback.requests"} <= {line["logger"] for line in lines}
    assert [line["rule"] for line in lines if line.get("request_id") == "mine"] == ["/health/live"]
    assert "s3cr3t" not in running.log.read_text()


def test_with_a_folder_the_log_is_kept_there_and_only_warnings_are_shown(home: Settings, tmp_path: Path) -> None:
    with serving(home, tmp_path / "log", LOG_FOLDER=str(tmp_path / "logs")) as running:
        assert running.client.get("/nowhere").status_code == 404
    kept = [json.loads(line) for line in (tmp_path / "logs" / "api.jsonl").read_text().splitlines()]
    assert [line["status"] for line in kept if line["logger"] == "pushback.requests" and not line["rule"]] == [404]
    assert len({line["process"] for line in kept}) == 3  # two workers and their master, in one file
    assert not [line for line in running.lines() if line["level"] == "INFO"]


def test_what_is_being_answered_when_the_end_comes_is_answered(home: Settings, tmp_path: Path) -> None:
    with serving(home, tmp_path / "log", "--workers", "1") as running:
        running.client.get("/health/live")  # whose connection stays open, and keeps nothing from ending
        with half_sent(running.port) as (connection, rest):
            running.server.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            time.sleep(1)
            connection.send(rest)
            assert connection.getresponse().status == 401
        assert running.server.wait(10) == 0
        assert time.monotonic() - begun < 10


def test_a_request_that_never_ends_does_not_keep_the_server_for_more_than_ten_seconds(
    home: Settings, tmp_path: Path
) -> None:
    with serving(home, tmp_path / "log", "--workers", "1") as running, half_sent(running.port):
        begun = time.monotonic()
        running.server.send_signal(signal.SIGTERM)
        assert running.server.wait(PATIENCE_SECONDS) == 0
        assert time.monotonic() - begun < 10


def test_a_port_that_is_none_is_refused_in_a_sentence(home: Settings) -> None:
    variables = {**os.environ, "PUSHBACK_HOME": str(home.home), "PORT": "http"}
    command = [sys.executable, "-m", "backend.serve"]
    said = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    assert "PORT='http' is not a TCP port" in said.stderr
    assert "Traceback" not in said.stderr
