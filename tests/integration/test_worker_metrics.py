"""Several worker processes count as one, whoever of them ends, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from backend import accounts
from backend.monitoring import worker_counts
from backend.settings import Settings
from backend.store.documents import open_documents
from tests.conftest import NOON, PASSWORD
from tests.integration.running import PATIENCE_SECONDS, ROOT, Running, serving
from tests.integration.scrapes import Samples, parsed, value

UNKNOWN = {"method": "GET", "url_rule": "other", "status": "404"}


def workers(running: Running) -> set[int]:
    """The processes of the workers."""
    return {child.pid for child in psutil.Process(running.server.pid).children()}


def ask(running: Running, answering: int, besides: set[int] | None = None) -> int:
    """Requests over a connection each, until so many workers have answered some; returns how many there were in all."""
    apart = httpx.Limits(max_keepalive_connections=0)
    deadline = time.monotonic() + PATIENCE_SECONDS
    with httpx.Client(base_url=running.client.base_url, limits=apart) as client:
        while len(asked(running) - (besides or set())) < answering:
            assert time.monotonic() < deadline, running.log.read_text()
            for _ in range(10):
                assert client.get("/nowhere").status_code == 404
    return sum(line.get("status") == 404 for line in running.lines())


def asked(running: Running) -> set[int]:
    """The processes that have answered such requests."""
    return {line["process"] for line in running.lines() if line.get("status") == 404}


def scrape(running: Running, headers: dict[str, str]) -> Samples:
    answer = httpx.get(f"http://127.0.0.1:{running.port}/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return parsed(answer.text)


def folder_of(worker: int) -> Path:
    """Where that worker counts."""
    return next(Path(file.path).parent for file in psutil.Process(worker).open_files() if file.path.endswith(".db"))


@pytest.mark.sqlite("requests are counted in files")
def test_two_workers_count_together_and_nothing_is_lost_or_counted_twice_when_one_is_killed(
    home: Settings, tmp_path: Path, password_hash: str
) -> None:
    accounts.add(open_documents(home.documents), "metrics", password_hash, "metrics", NOON)
    with serving(home, tmp_path / "log") as running:
        form = {"grant_type": "password", "username": "metrics", "password": PASSWORD}
        token = running.client.post("/token", data=form).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        first, times = workers(running), ask(running, 2)
        assert asked(running) == first
        for _ in range(6):
            found = scrape(running, headers)
            assert value(found, "pushback_http_request_duration_seconds_count", **UNKNOWN) == times
        killed = min(first)
        folder = folder_of(killed)
        os.kill(killed, signal.SIGKILL)
        times = ask(running, 2, {killed})
        for _ in range(6):
            found = scrape(running, headers)
            assert value(found, "pushback_http_request_duration_seconds_count", **UNKNOWN) == times
            assert value(found, "pushback_http_request_total", method="GET", status="404") == times
        assert not list(folder.glob(f"*_{killed}.db")), "what an ended worker has counted is in one file"
    assert not folder.exists()


def counted(folder: Path, process: int | str, name: str, number: float) -> None:
    """Let a process have counted something."""
    written = MmapedDict(str(folder / f"counter_{process}.db"))
    written.write_value(mmap_key(name, f"{name}_total", ["kind"], ["a"], "for this test"), number, 0.0)
    written.close()


def total(folder: Path, name: str) -> float:
    """What all have counted of it."""
    return sum(
        sample.value for family in worker_counts.collect(folder) if family.name == name for sample in family.samples
    )


def test_what_ended_workers_counted_is_put_together_again_and_again(tmp_path: Path) -> None:
    for process in range(1, 8):
        counted(tmp_path, process, "apples", process)
        if process % 2:
            counted(tmp_path, process, "pears", 0.5)
    (tmp_path / "gauge_all_3.db").write_bytes((tmp_path / "counter_3.db").read_bytes())
    for alive in ({4, 5, 6, 7}, {4, 6, 7}, {7}, {7}):
        worker_counts.fold(tmp_path, alive)
        assert (total(tmp_path, "apples"), total(tmp_path, "pears")) == (28, 2)
    assert {file.name for file in tmp_path.glob("*.db")} == {"counter_ended.db", "counter_7.db"}


def test_a_file_that_a_kill_left_empty_goes_and_a_damaged_one_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counted(tmp_path, 1, "apples", 5)
    (tmp_path / "counter_2.db").touch()
    worker_counts.fold(tmp_path, ())
    assert total(tmp_path, "apples") == 5 and not (tmp_path / "counter_2.db").exists()
    (tmp_path / "counter_3.db").write_bytes(b"\x40\0\0\0\0\0\0\0\xff\0\0\0")
    worker_counts.fold(tmp_path, ())
    assert "stays in their own files" in caplog.text and (tmp_path / "counter_3.db").exists()


MAKE = """
import os, pathlib, signal, sys
from backend.monitoring import worker_folder
worker_folder.IN_MEMORY = pathlib.Path(sys.argv[1])
folder = worker_folder.WorkerFolder()
folder.make()
print(folder.path, flush=True)
"""


def make(parent: Path, then: str) -> subprocess.Popen[str]:
    """A server of its own that makes its folder in `parent`, where no other server of this machine looks."""
    command = [sys.executable, "-c", MAKE + then, str(parent)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def test_a_server_removes_what_killed_ones_left_and_nothing_of_those_that_live(tmp_path: Path) -> None:
    with make(tmp_path, "input()") as living:
        lives = said(living)
        with make(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)") as killed:
            left = said(killed)
            killed.wait(PATIENCE_SECONDS)
        assert lives.is_dir() and left.is_dir()
        with make(tmp_path, "folder.remove()") as third:
            gone = said(third)
            assert third.wait(PATIENCE_SECONDS) == 0
        assert lives.is_dir() and not left.exists() and not gone.exists()
        living.communicate("\n", timeout=PATIENCE_SECONDS)
    with make(tmp_path, "folder.remove()") as last:
        said(last)
    assert not lives.exists()


def test_a_folder_that_would_come_too_late_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import prometheus_client" + MAKE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "do without --preload" in done.stderr
