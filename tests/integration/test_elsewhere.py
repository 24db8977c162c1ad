"""An installation whose database, documents, files and secrets are elsewhere writes nothing into its state folder."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend import clock
from backend.settings import Settings
from backend.store import jobs
from backend.store.blobs import Blobs
from jobs import worker
from tests.conftest import World
from tests.integration.served import Served


@pytest.mark.postgresql("since an SQLite file is in a folder")
def test_nothing_is_written_where_nothing_is_kept(world_copy: World, password_hash: str, tmp_path: Path) -> None:
    settings = replace(
        world_copy.settings,
        home=tmp_path / "nowhere",
        documents_url=world_copy.settings.database_url,
        blobs_url=f"memory://{uuid.uuid4().hex}",
        secrets_folder=tmp_path / "secrets",
    )
    here, there = Blobs(world_copy.settings.blobs), Blobs(settings.blobs)
    for name in here.below("bundles"):
        there.write(name, here.read(name))
    with working(settings):
        own = Served.over(World(settings, world_copy.until), password_hash).by("operator")
        flight = {"id": own.coming()[0]["id"]}
        (said,) = own.predict([flight])
        file = f"id\n{flight['id']}\n".encode()
        sent = own.client.post("/predictions/batch", data=file, content_type="text/csv", headers=own.headers)
        job = ended(own, sent.headers["Location"])
        assert job["state"] == "done", job["error"]
        answer = own.get(f"{sent.headers['Location']}/result")
        assert repr(said["probability"]) in answer.text
        kept = jobs.enqueue(own.engine, "housekeeping", {}, "tests", clock.wall())
        assert ended(own, f"/jobs/{kept['id']}")["state"] == "done"
        assert own.client.get("/health/ready").get_json() == {"status": "ok", "missing": []}
    own.engine.dispose()
    assert not (tmp_path / "nowhere").exists()


@contextmanager
def working(settings: Settings) -> Iterator[None]:
    """A worker in this process, until the end of the block."""
    stop = threading.Event()
    kinds = {"batch": "jobs.batch", "housekeeping": "jobs.housekeeping"}
    works = threading.Thread(target=worker.work, args=(settings, kinds, 30, stop))
    works.start()
    try:
        yield
    finally:
        stop.set()
        works.join(30)


def ended(own: Served, path: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        job: dict[str, Any] = own.get(path).get_json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.1)
    raise AssertionError(f"still {job}")
