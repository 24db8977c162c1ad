"""Large bodies over real connections: they take no memory, and who is refused reads why and may go on."""

import http.client
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend import accounts
from backend.settings import Settings
from backend.store.blobs import Blobs
from backend.store.documents import open_documents
from tests.conftest import NOON, PASSWORD, World
from tests.integration.running import Running, serving

MIB = 1024**2
TYPES = {"Content-Type": "text/csv"}
pytestmark = pytest.mark.sqlite("it is about connections, which know no database")


@contextmanager
def connected(running: Running) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)) as connection:
        yield connection


def answer(connection: http.client.HTTPConnection) -> tuple[int, dict[str, Any]]:
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def token(home: Settings, running: Running, password_hash: str) -> dict[str, str]:
    accounts.add(open_documents(home.documents), "analyst", password_hash, "analyst", NOON)
    form = {"grant_type": "password", "username": "analyst", "password": PASSWORD}
    return {"Authorization": f"Bearer {running.client.post('/token', data=form).json()['access_token']}"}


def rss(running: Running) -> dict[int, int]:
    return {child.pid: child.memory_info().rss for child in psutil.Process(running.server.pid).children()}


def sized(parts: int) -> Iterator[bytes]:
    """So many MiB of a file."""
    yield b"id,note\n" + b"x" * (MIB - 8)
    row = b"2013-04-01.UA.1545.EWR," + b"n" * (1024 - 24) + b"\n"
    for _ in range(parts - 1):
        yield row * 1024


def test_a_refused_file_is_answered_and_its_connection_takes_the_next_request(home: Settings, tmp_path: Path) -> None:
    with serving(home, tmp_path / "log") as running, connected(running) as connection:
        for headers, expected in (
            ({"Content-Length": str(50 * MIB)}, 401),
            ({"Transfer-Encoding": "chunked"}, 401),
        ):
            chunked = "Transfer-Encoding" in headers
            connection.request("POST", "/predictions/batch", sized(50), TYPES | headers, encode_chunked=chunked)
            status, body = answer(connection)
            assert (status, body["title"]) == (expected, "Not logged in")
            connection.request("GET", "/health/live")
            assert answer(connection)[0] == 200
        connection.request("POST", "/predict", sized(10), {"Content-Length": str(10 * MIB), **TYPES})
        assert answer(connection)[0] == 413
        connection.request("GET", "/health/live")
        assert answer(connection)[0] == 200


def test_a_file_of_200_mb_takes_no_memory_and_one_that_is_larger_or_broken_off_leaves_nothing(
    world_copy: World, tmp_path: Path, password_hash: str
) -> None:
    home = world_copy.settings
    blobs = Blobs(home.blobs)
    with serving(home, tmp_path / "log", "--workers", "1") as running:
        headers = TYPES | token(home, running, password_hash)
        with connected(running) as connection:
            connection.request("POST", "/predictions/batch", b"id\nA\n", headers)
            assert answer(connection)[0] == 202
            before = rss(running)
            connection.request("POST", "/predictions/batch", sized(200), headers | {"Content-Length": str(200 * MIB)})
            status, job = answer(connection)
            assert status == 202, job
            after = rss(running)
            assert max(after[pid] - before[pid] for pid in before) < 30 * MIB
            assert blobs.size(f"batches/{job['id']}/upload") == 200 * MIB
            kept = set(blobs.below("batches"))
            connection.request("POST", "/predictions/batch", sized(201), headers | {"Content-Length": str(201 * MIB)})
            assert answer(connection)[0] == 413
            connection.request("GET", "/health/live")
            assert answer(connection)[0] == 200
        with connected(running) as connection:
            connection.request("POST", "/predictions/batch", sized(1), headers | {"Content-Length": str(2 * MIB)})
        end = time.monotonic() + 30
        while len(log := [line for line in running.lines() if line.get("rule") == "/predictions/batch"]) < 4:
            assert time.monotonic() < end, "the one that broke off is still waited for"
            time.sleep(0.05)
        assert [line["status"] for line in log] == [202, 202, 413, 400]
        assert set(blobs.below("batches")) == kept
        with closing(sqlite3.connect(home.home / "live.db")) as database:
            assert database.execute("SELECT count(*) FROM jobs").fetchone() == (2,)
