"""`make up` on an empty state folder, as a person has it: from nothing to an answer, and back to no process."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend import settings
from jobs.launch import free, instance

ROOT = Path(__file__).parents[2]
FIRST_START_SECONDS = 300
LATER_START_SECONDS = 60
REPLAY_SECONDS = 60
FLIGHT = {
    "carrier": "UA",
    "flight": 1545,
    "origin": "EWR",
    "dest": "IAH",
    "scheduled_departure": "2013-04-01T09:15:00Z",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("home")
    ports = {name: str(free.port()) for name in ("API_PORT", "UI_PORT", "MLFLOW_PORT")}
    yield {"PUSHBACK_HOME": str(home), **ports}
    instance.end(instance.processes_of(home), patience_seconds=5)


def start(environment: dict[str, str], log: Path, patience_seconds: float) -> subprocess.Popen[bytes]:
    """Starts the launcher and returns it once it has said that it is ready."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.up"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    until = time.monotonic() + patience_seconds
    while "Pushback is ready." not in log.read_text(errors="replace"):
        assert process.poll() is None, f"the launcher ended:\n{log.read_text(errors='replace')[-3000:]}"
        assert time.monotonic() < until, f"not ready in time:\n{log.read_text(errors='replace')[-3000:]}"
        time.sleep(0.2)
    return process


def stop(process: subprocess.Popen[bytes], home: Path) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 0
    assert not instance.processes_of(home)


def test_one_command_leads_from_nothing_to_an_answer_and_back(environment: dict[str, str], tmp_path: Path) -> None:
    here = settings.load(environment)
    launcher = start(environment, tmp_path / "first.log", FIRST_START_SECONDS)
    said = (tmp_path / "first.log").read_text(errors="replace")
    password = (here.secrets / "admin-password").read_text().strip()
    assert str(here.secrets / "admin-password") in said
    assert password not in said

    with httpx.Client(base_url=here.api_url, timeout=20) as client:
        assert client.get("/health/ready").status_code == 200
        # As of the first moment, since the replay lets time go on.
        body = {"flights": [FLIGHT], "as_of": "2013-04-01T04:00:00Z"}
        assert client.post("/predict", json=body).status_code == 401
        by_basic = client.post("/predict", json=body, auth=("admin", password))
        form = {"grant_type": "password", "username": "admin", "password": password}
        token = client.post("/token", data=form).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        until = time.monotonic() + REPLAY_SECONDS
        while client.get("/status", headers=bearer).json()["clock"] == "2013-04-01T04:00:00Z":
            assert time.monotonic() < until, "no replay lets time go on"
            time.sleep(0.5)
        by_bearer = client.post("/predict/", json=body, headers=bearer)
    assert by_basic.status_code == by_bearer.status_code == 200
    answers = [response.json()["predictions"][0]["probability"] for response in (by_basic, by_bearer)]
    assert answers[0] == answers[1]
    assert 0 < answers[0] < 1
    assert httpx.get(f"http://127.0.0.1:{here.ui_port}/", timeout=20).status_code == 200
    stop(launcher, here.home)

    again = start(environment, tmp_path / "second.log", LATER_START_SECONDS)
    said = (tmp_path / "second.log").read_text(errors="replace")
    assert not re.search(r"first champion|^Facts", said, re.MULTILINE), "the second start did the work again"
    down = subprocess.run(
        [sys.executable, "-m", "jobs.down"], cwd=ROOT, env={**os.environ, **environment}, check=False, timeout=60
    )
    assert down.returncode == 0
    assert again.wait(10) == 0
    assert not instance.processes_of(here.home)
