"""Starting and stopping on one machine: real processes, real ports, real locks."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from backend import settings
from jobs.launch import free, instance, preflight, ready
from jobs.launch.refused import Refused

ROOT = Path(__file__).parents[2]

# A small launcher: the lock and the loop of the real one, around parts that only sleep. The first has a child that
# leaves its process group, as servers' helpers do.
LAUNCHER = """
import os, sys
from pathlib import Path
from jobs.launch import instance, parts
home = Path(sys.argv[1])
parts.PATIENCE_SECONDS = 2
lock = instance.take_lock(home)
parts.stop_on_signals()
os.environ[instance.MARK] = str(home)
sleeper = [sys.executable, "-c", "import time; time.sleep(" + sys.argv[2] + ")"]
try:
    asked = parts.run({"family": ["sh", "-c", "setsid sleep 61 & sleep 61"], "jobs.up": sleeper}, home)
finally:
    instance.end(instance.processes_of(home), 2)
    instance.give_back(home, lock)
sys.exit(0 if asked else 1)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    instance.end(instance.processes_of(tmp_path), patience_seconds=2)


@pytest.fixture
def here(home: Path) -> settings.Settings:
    return settings.load({"PUSHBACK_HOME": str(home)})


def launch(home: Path, seconds: float = 60) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", LAUNCHER, str(home), str(seconds), "jobs.up"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + 20
    while len(instance.processes_of(home)) < 4 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(instance.processes_of(home)) >= 4
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_and_is_no_failure(home: Path, number: signal.Signals) -> None:
    launcher = launch(home)
    launcher.send_signal(number)
    assert launcher.wait(20) == 0
    assert not instance.processes_of(home)
    assert not instance.is_locked(home)


def test_when_one_part_ends_everything_ends_and_it_is_a_failure(home: Path) -> None:
    assert launch(home, seconds=3).wait(30) == 1
    assert not instance.processes_of(home)


def test_a_second_start_is_refused_and_names_the_launcher(home: Path) -> None:
    launcher = launch(home)
    with pytest.raises(Refused, match=f"already runs on .* process {launcher.pid}"):
        instance.take_lock(home)
    launcher.terminate()
    launcher.wait(20)
    lock = instance.take_lock(home)
    instance.give_back(home, lock)


@pytest.mark.parametrize("whole_group", [False, True])
def test_what_a_killed_launcher_left_keeps_the_folder_until_down_ends_it(home: Path, whole_group: bool) -> None:
    launcher = launch(home)
    if whole_group:
        os.killpg(launcher.pid, signal.SIGKILL)
    else:
        launcher.kill()
    launcher.wait(5)
    left = instance.processes_of(home)
    with pytest.raises(Refused, match=f"was killed, but what it started still runs .*{left[0].pid}"):
        instance.take_lock(home)
    down = subprocess.run(
        [sys.executable, "-m", "jobs.down"],
        cwd=ROOT,
        env={**os.environ, "PUSHBACK_HOME": str(home)},
        capture_output=True,
        check=False,
    )
    assert down.returncode == 0, down.stderr
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left)
    assert not instance.is_locked(home)


def test_down_is_content_when_nothing_runs(home: Path) -> None:
    environment = {**os.environ, "PUSHBACK_HOME": str(home)}
    down = subprocess.run(
        [sys.executable, "-m", "jobs.down"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (down.returncode, down.stdout) == (0, f"Nothing runs on {home}.\n")


def test_a_taken_port_is_named_with_its_program_and_the_variable_to_set(here: settings.Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Refused, match=rf"Port {port} is taken by process {os.getpid()} .*UI_PORT={port + 100}"):
            preflight.check_ports(replace(here, api_port=free.port(), ui_port=port, mlflow_port=free.port()))


def test_two_parts_on_one_port_are_refused(here: settings.Settings) -> None:
    port = free.port()
    with pytest.raises(Refused, match="API_PORT and UI_PORT are both"):
        preflight.check_ports(replace(here, api_port=port, ui_port=port, mlflow_port=free.port()))


def test_mlflows_port_does_not_matter_where_mlflow_is_elsewhere(here: settings.Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        elsewhere = replace(here, mlflow_uri="http://mlflow.example:5000", mlflow_port=taken)
        preflight.check_ports(replace(elsewhere, api_port=free.port(), ui_port=free.port()))


def test_a_full_disk_is_refused_with_what_to_do(home: Path) -> None:
    with pytest.raises(Refused, match=r"MiB free, and Pushback needs .*PUSHBACK_HOME"):
        preflight.check_disk(home, needed=1 << 60)


def test_another_python_is_refused() -> None:
    with pytest.raises(Refused, match=r"Python 3\.12.*install Python 3\.11"):
        preflight.check_python((3, 12))


def test_waiting_for_an_api_that_does_not_come_says_so(here: settings.Settings) -> None:
    with pytest.raises(Refused, match="the API does not answer on port"):
        ready.wait_until_ready(replace(here, api_port=free.port()), patience_seconds=0.5)


def test_a_skip_is_a_failure_where_every_test_is_required(tmp_path: Path) -> None:
    source = 'import pytest\n\n@pytest.mark.skip(reason="no chromium")\ndef test_it() -> None: ...\n'
    (tmp_path / "test_skipped.py").write_text(textwrap.dedent(source))
    words = [sys.executable, "-m", "pytest", "-p", "tests.require_all", "--rootdir", str(tmp_path), str(tmp_path)]
    lenient = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert lenient.returncode == 0
    assert "1 test: no chromium" in lenient.stdout
    strict = subprocess.run([*words, "--require-all"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert strict.returncode == 1
    assert "could not run" in strict.stdout
