"""The API as production starts it: one command, real processes, a real port."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from backend.settings import Settings
from jobs.launch import free

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Running:
    """An API of one's own, a client of it, and what it has said."""

    server: subprocess.Popen[bytes]
    port: int
    client: httpx.Client
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """What it has said, each line of it JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def serving(home: Settings, log: Path, *words: str, **environment: str) -> Iterator[Running]:
    """An API that runs on `home` and ends with the block."""
    port = free.port()
    where = {"PUSHBACK_HOME": str(home.home), "DATABASE_URL": home.database_url}
    variables = {**os.environ, **environment, **where, "PORT": str(port)}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "backend.serve", *words]
        server = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not _answers(client):
                assert server.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield Running(server, port, client, log)
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
