"""The API as production starts it: one command, real processes, a real port."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from backend.settings import Settings
from tests.bench.api import free_port

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30


@contextmanager
def serving(home: Settings, log: Path, environment: Mapping[str, str] = os.environ) -> Iterator[httpx.Client]:
    """A client of an API of its own, which runs on `home` and ends with the block."""
    port = free_port()
    variables = {**environment, "PUSHBACK_HOME": str(home.home), "PORT": str(port)}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "backend.serve"]
        server = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not _answers(client):
                assert server.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield client
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            assert server.wait(PATIENCE_SECONDS) == 0
        finally:
            server.kill()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


def test_one_command_serves_on_the_port_that_the_platform_names(home: Settings, tmp_path: Path) -> None:
    with serving(home, tmp_path / "log") as client:
        assert client.get("/health/live").json() == {"status": "ok"}


def test_a_port_that_is_none_is_refused_in_a_sentence(home: Settings) -> None:
    variables = {**os.environ, "PUSHBACK_HOME": str(home.home), "PORT": "http"}
    command = [sys.executable, "-m", "backend.serve"]
    said = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    assert "PORT='http' is not a TCP port" in said.stderr
    assert "Traceback" not in said.stderr
