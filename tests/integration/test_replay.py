"""A replay through a real API: whole, once, one at a time, and the same whether it was killed or not."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend import accounts, clock, rehearsal
from backend import settings as settings_module
from backend.settings import Settings
from backend.store import events as log
from backend.store import ledger, sql
from backend.store.documents import open_documents
from jobs.feed.source import LEADS
from tests.conftest import World
from tests.integration.running import ROOT, Running, serving

PATIENCE_SECONDS = 120
HALF_DAY = 12 * clock.HOUR


def replay(home: Settings, api: Running, *words: str) -> subprocess.Popen[str]:
    """A replay of the thin world, as fast as it can."""
    environment = {**os.environ, "PUSHBACK_HOME": str(home.home)}
    command = [sys.executable, "-m", "jobs.replay", "--url", f"http://127.0.0.1:{api.port}", "--only", "4"]
    return subprocess.Popen(
        [*command, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What it said, when it has ended well."""
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    return said


def reached(home: Settings, moment: int) -> None:
    """Returns once the data clock has come so far."""
    engine, until = sql.open_engine(home.database_url), time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with engine.connect() as connection:
            if (log.data_clock(connection) or 0) >= moment:
                return
        time.sleep(0.01)
    raise AssertionError(f"the clock has not come to {clock.iso(moment)}")


def told(home: Settings) -> dict[str, list[str]]:
    """All that a replay leaves, without the times of the wall and the numbers of rows."""
    events, asked = sql.events.c, sql.predictions.c
    queries = {
        "events": select(events.subject, events.kind, events.known_at, events.at, events.delay_minutes, events.details),
        "flights": select(*(column for column in sql.flights.c if column.name != "last_seq")),
        "weather": select(*(column for column in sql.weather.c if column.name != "last_seq")),
        "predictions": select(
            *(asked[name] for name in ("flight", "as_of", "version", "probability", "past", "variant", "features"))
        ),
        "clock": select(sql.clock.c.at),
        "questions": select(asked.flight, asked.as_of).where(asked.past.is_(False)),
        "departures": select(sql.flights.c.id, sql.flights.c.scheduled_departure),
    }
    with sql.open_engine(home.database_url).connect() as connection:
        return {name: sorted(map(repr, connection.execute(query).all())) for name, query in queries.items()}


@pytest.fixture(name="until")
def make_until() -> str:
    """The day on which the replays of these tests end, which is the second after the world's last."""
    return "2013-04-03"


@pytest.fixture(name="home")
def make_home(world_copy: World) -> Settings:
    """An installation of its own, with the account of a feeder."""
    accounts.first_start(world_copy.settings, open_documents(world_copy.settings.documents))
    return world_copy.settings


@pytest.fixture(name="other")
def make_other(home: Settings, tmp_path: Path) -> Settings:
    """The same once more."""
    shutil.copytree(home.home, tmp_path / "other")
    return settings_module.load({"PUSHBACK_HOME": str(tmp_path / "other")})


pytestmark = pytest.mark.sqlite("a feeder speaks HTTP alone")


def test_killed_in_the_middle_it_leaves_what_it_leaves_when_it_is_not(
    home: Settings, other: Settings, world: World, until: str, tmp_path: Path
) -> None:
    with serving(home, tmp_path / "whole.log") as api:
        said = ended(replay(home, api, "--until", until, "--speed", "max"))
    with serving(other, tmp_path / "killed.log") as api:
        for hours in (3, 31):
            killed = replay(other, api, "--until", until, "--speed", "max")
            reached(other, world.until + hours * clock.HOUR)
            killed.send_signal(signal.SIGKILL)
            killed.communicate()
        ended(replay(other, api, "--until", until, "--speed", "max"))
    whole = told(home)
    assert told(other) == whole
    # 24 h, 6 h, 2 h and 30 min before its departure a flight is asked about: each of the whole day in between, 4 times.
    asked = Counter(flight for flight, *_ in map(ast.literal_eval, whole["questions"]))
    begin = world.until + clock.DAY
    departed = [flight for flight, at in map(ast.literal_eval, whole["departures"]) if begin <= at < begin + HALF_DAY]
    assert len(departed) > 50 and {asked[flight] for flight in departed} == {len(LEADS)}
    assert "0 refused" in said and "0 questions refused" in said


def test_it_is_one_at_a_time_and_follows_the_settings(home: Settings, tmp_path: Path) -> None:
    with serving(home, tmp_path / "log") as api:
        first = replay(home, api, "--until", "2013-04-03", "--speed", "3600")
        try:
            who = holder(api, home)
            second = replay(home, api, "--until", "2013-04-03", "--speed", "max")
            assert second.stdout is not None and "another replay runs" in second.stdout.readline()
            assert holder(api, home) == who and second.poll() is None, "it waits for its turn"
            second.send_signal(signal.SIGTERM)
            ended(second)
        finally:
            first.send_signal(signal.SIGTERM)
            ended(first)
        assert seen(api, home)["holder"] is None, "who leaves says so"


def test_what_breaks_on_purpose_is_refused_outside_of_a_rehearsal_and_marked_in_it(
    home: Settings, other: Settings, tmp_path: Path
) -> None:
    words = ("--until", "2013-04-02", "--speed", "max", "--break", "delays:JFK:x2")
    with serving(home, tmp_path / "main.log") as api:
        refused = replay(home, api, *words)
        said, _ = refused.communicate(timeout=PATIENCE_SECONDS)
        assert refused.returncode == 1 and "is for a rehearsal" in said
    rehearsal.mark(open_documents(other.documents))
    with serving(other, tmp_path / "rehearsal.log") as api:
        ended(replay(other, api, *words))
    broken = [row for row in told(other)["events"] if "delays:JFK:x2" in row]
    assert broken and all(".JFK" in row for row in broken)
    with sql.open_engine(other.database_url).connect() as connection:
        (decision,) = ledger.decisions(connection, "broken", 5)
    assert decision.evidence["breaks"] == ["delays:JFK:x2"]


def seen(api: Running, home: Settings) -> Any:
    """What GET /replay says."""
    password = (home.secrets / "admin-password").read_text().strip()
    form = {"grant_type": "password", "username": "admin", "password": password}
    token = api.client.post("/token", data=form).json()["access_token"]
    return api.client.get("/replay", headers={"Authorization": f"Bearer {token}"}).json()


def holder(api: Running, home: Settings) -> str:
    """Who the replay is, once there is one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (said := seen(api, home)["holder"]) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return str(said)
