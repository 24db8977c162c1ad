"""The policy lab on real flights: what it shares, that it sees no future, and that a cluster gives the same numbers."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from distributed import Client

from backend import settings as settings_module
from backend.clock import DAY
from backend.flights.label import FINAL_AFTER
from backend.model import backtest, dataset, pieces, policies, promotion, replay
from backend.model.dataset import World
from backend.model.lab import Lab, Recipe
from backend.model.policies import Policy
from backend.model.replay import Replayed
from backend.store import sql
from jobs import policies as lab_job
from jobs import pool, research
from jobs.launch import instance

SMALL = {"num_iterations": 12, "learning_rate": 0.2, "num_leaves": 15, "min_data_in_leaf": 50, "max_bin": 31}
MONTHS = ("2013-02", "2013-03")
ALL = (*policies.USUAL, "evidence:refit")


@pytest.fixture(name="quarter", scope="module")
def make_quarter(first_quarter: Path) -> World:
    """What the research store knows."""
    with sql.open_engine(f"sqlite:///{first_quarter}").connect() as connection:
        return dataset.load(connection, research.ALL_TIME)


@pytest.fixture(name="eager")
def make_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies that find a reason wherever they look, so that they train and promote within two months."""
    monkeypatch.setattr(policies, "MOVED", 0.0)
    monkeypatch.setattr(policies, "SKILL_FALL", -1.0)
    monkeypatch.setattr(promotion, "_decide", lambda *_: ("promote", "Always."))
    monkeypatch.setattr(promotion, "boundary", lambda *_: -1e6)


def run(here: World, names: tuple[str, ...] = ALL, months: tuple[str, ...] = MONTHS) -> dict[str, Replayed]:
    with pool.workers("", 2) as client:
        lab = Lab(client, here, months, Recipe(parameters=SMALL))
        return {one.policy.name: one for one in replay.run(lab, [policies.parse(name) for name in names], no_step)}


def no_step(_policy: Policy, _month: str) -> None:
    """Nobody watches."""


def reasons(one: Replayed) -> list[tuple[int, str]]:
    return [(stint.since, stint.why) for stint in one.stints]


def stints(one: Replayed) -> list[tuple[int, int]]:
    return [(stint.since, stint.version.learned.last) for stint in one.stints]


def test_each_policy_trains_when_it_should_and_serves_what_it_trained(quarter: World) -> None:
    found = run(quarter, ("never", "monthly", "window:20d", "evidence"))
    begin, march = (backtest.start_of(month) for month in MONTHS)
    assert {name: len(one.trained) for name, one in found.items()} == {
        "never": 1,
        "monthly": 2,
        "window:20d": 2,
        "evidence": 2,
    }
    assert [since for since, _ in stints(found["never"])] == [begin]
    assert [since for since, _ in stints(found["monthly"])] == [begin, march]
    assert found["window:20d"].trained[1].learned.since == march - 20 * DAY
    challenger = found["evidence"].trained[1]
    newest = found["monthly"].trained[1].learned.last
    # Of two months, the newest third is kept to judge on.
    assert challenger.learned.last + FINAL_AFTER <= newest - 18 * DAY
    answers = {name: one.probability for name, one in found.items()}
    asked = np.isfinite(answers["never"])
    assert asked[0].mean() > 0.98 and ((answers["never"][asked] > 0) & (answers["never"][asked] < 1)).all()
    np.testing.assert_array_equal(answers["never"][:, :500], answers["monthly"][:, :500])
    assert (answers["never"][:, -500:] != answers["monthly"][:, -500:]).any()


def test_a_question_is_answered_by_the_model_that_served_when_it_was_asked(quarter: World) -> None:
    found = run(quarter, ("never", "monthly"))
    march = backtest.start_of("2013-03")
    departure = quarter.flights.departure
    departure = np.sort(departure[(departure >= backtest.start_of("2013-02"))])[: found["never"].probability.shape[1]]
    for place, hours in enumerate((0.5, 2, 6, 24)):
        early = departure - int(hours * 3600) < march
        same = found["never"].probability[place] == found["monthly"].probability[place]
        missing = np.isnan(found["never"].probability[place])
        assert (same | missing)[early].all() and not same[~early].all()


@pytest.mark.usefixtures("eager")
def test_what_becomes_known_later_changes_no_answer_and_no_decision(quarter: World) -> None:
    night = backtest.midnights("2013-03")[17]
    later = quarter.outcome_known_at > night
    lies = np.where(later, 1 - quarter.disrupted, quarter.disrupted)
    assert later.sum() > 1000
    told = dataclasses.replace(quarter, disrupted=lies)
    names = ("monthly", "window:20d", "drift", "performance", "evidence:refit")
    true, false = run(quarter, names), run(told, names)
    departure = np.sort(quarter.flights.departure[quarter.flights.departure >= backtest.start_of("2013-02")])
    for name in names:
        # The reasons hold the figures by which it was decided.
        before = [[stint for stint in reasons(found[name]) if stint[0] <= night] for found in (true, false)]
        assert before[0] == before[1]
        assert before[0][-1][0] >= backtest.start_of("2013-03")
        for place, hours in enumerate((0.5, 2, 6, 24)):
            asked = departure[: true[name].probability.shape[1]] - int(hours * 3600) < night
            mine, others = (found[name].probability[place][asked] for found in (true, false))
            np.testing.assert_array_equal(mine, others)


@pytest.mark.usefixtures("eager")
def test_what_was_known_does_change_them(quarter: World) -> None:
    night = backtest.midnights("2013-03")[10]
    lies = np.where(quarter.outcome_known_at < night, 1 - quarter.disrupted, quarter.disrupted)
    names = ("never", "performance", "evidence")
    true, false = run(quarter, names), run(dataclasses.replace(quarter, disrupted=lies), names)
    assert reasons(true["performance"])[1] != reasons(false["performance"])[1]
    assert reasons(true["evidence"])[1] != reasons(false["evidence"])[1]
    for name in names:
        assert (true[name].probability != false[name].probability)[:, -500:].any()


@pytest.mark.usefixtures("eager")
def test_a_promoted_recipe_is_fitted_again_only_where_the_policy_says_so(quarter: World) -> None:
    found = run(quarter, ("evidence", "evidence:refit"))
    march = backtest.start_of("2013-03")
    (_, plain), (_, again) = stints(found["evidence"])[:2], stints(found["evidence:refit"])[:2]
    assert plain[0] == again[0] >= march
    assert plain[1] + FINAL_AFTER <= march - 18 * DAY < again[1] <= again[0] - FINAL_AFTER
    assert (len(found["evidence"].trained), len(found["evidence:refit"].trained)) == (2, 3)


def test_a_label_counts_only_once_it_is_final_and_known() -> None:
    departure = np.array([0, 1, 2, 3, 4])
    until = FINAL_AFTER + 2
    known_at = np.array([10, until + 1, 10, 10, 10])
    month = pieces.Month(departure, known_at, np.array([1, 0, -1, 0, 1]), np.zeros((1, 5, 1)))
    assert month.learned(pieces.Learned(0, until, 4)).tolist() == [True, False, False, False, False]
    assert month.learned(pieces.Learned(0, until + 2, 3)).tolist() == [True, True, False, True, False]
    assert month.learned(pieces.Learned(1, until + 2, 4)).tolist() == [False, True, False, True, True]


def test_policies_share_their_fits(quarter: World) -> None:
    names = ("never", "monthly", "evidence")
    with pool.workers("", 2) as client:
        lab = Lab(client, quarter, MONTHS, Recipe(parameters=SMALL))
        replay.run(lab, [policies.parse(name) for name in names], no_step)
        made = Counter(kind for kind, *_ in lab.made())
    # Two models with a rehearsal each; the challenger's trees are March's rehearsal, and need one of their own.
    assert made["trees"] == 5 and made["model"] == 3
    assert made["asked"] == len(MONTHS) + 1 and made["drawn"] == len(MONTHS)


def test_a_failed_fit_ends_the_replay_in_words(quarter: World) -> None:
    alike = dataclasses.replace(quarter, disrupted=np.where(quarter.disrupted >= 0, 0, -1))
    with pytest.raises(ValueError, match=r"none was disrupted|ended all alike|only one kind"):
        run(alike, ("never", "monthly"))
    with pytest.raises(ValueError, match="no flights with an outcome in 2013-05"):
        run(quarter, ("never",), ("2013-05",))
    with pytest.raises(ValueError, match="only 0 flights"):
        run(quarter, ("never",), ("2013-01",))


def test_who_watches_can_end_it(quarter: World) -> None:
    def tired(policy: Policy, month: str) -> None:
        raise InterruptedError(f"{policy.name} {month}")

    with pool.workers("", 2) as client:
        lab = Lab(client, quarter, MONTHS, Recipe(parameters=SMALL))
        with pytest.raises(InterruptedError):
            replay.run(lab, [policies.parse(name) for name in ALL], tired)


@pytest.fixture(name="cluster", scope="module")
def make_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers: three processes, which end with the tests."""
    folder = tmp_path_factory.mktemp("dask")
    contact = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    here = ["--host", "127.0.0.1", "--scheduler-file", str(contact), "--dashboard-address", "127.0.0.1:0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    kept: dict[str, Any] = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL}
    processes = []
    with (folder / "log").open("wb") as log:
        try:
            processes.append(subprocess.Popen([*dask, "scheduler", "--port", "0", *here], stderr=log, **kept))
            wait_for(contact)
            for _ in range(2):
                one = [*dask, "worker", "--no-nanny", "--nthreads", "1", *here, "--local-directory", str(folder)]
                processes.append(subprocess.Popen(one, stderr=log, **kept))
            address = address_in(contact)
            wait_for_workers(address, 2)
            yield address
        finally:
            # One after the other, since a worker takes its leave of the scheduler; none is left behind if it cannot.
            for process in reversed(processes):
                instance.end([psutil.Process(process.pid)], patience_seconds=15)
                process.wait()


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.1)


def address_in(path: Path) -> str:
    return str(json.loads(path.read_text())["address"])


def wait_for_workers(address: str, count: int) -> None:
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def test_a_cluster_gives_the_same_numbers(quarter: World, cluster: str, tmp_path: Path) -> None:
    asked = lab_job.Replay(("monthly", "drift", "evidence:refit"), *MONTHS, SMALL)

    def found(scheduler: str) -> lab_job.Found:
        settings = settings_module.load({"PUSHBACK_HOME": str(tmp_path), "DASK_SCHEDULER": scheduler})
        return lab_job.replayed(settings, quarter, asked, lambda *_: None, 2)

    local, distant = found(""), found(cluster)
    for name, answers in local.probability.items():
        np.testing.assert_array_equal(answers, distant.probability[name])
    for one, other in zip(local.said, distant.said, strict=True):
        assert {**one, "cpu_seconds": 0} == {**other, "cpu_seconds": 0}


def test_a_cluster_that_is_not_there_is_named(quarter: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PATIENCE_SECONDS", 1)
    settings = settings_module.load({"PUSHBACK_HOME": str(tmp_path), "DASK_SCHEDULER": "tcp://127.0.0.1:9"})
    with pytest.raises(ValueError, match=r"no Dask scheduler answers at DASK_SCHEDULER=tcp://127\.0\.0\.1:9"):
        lab_job.replayed(settings, quarter, lab_job.Replay(("never",), *MONTHS, SMALL), lambda *_: None)


def test_models_made_side_by_side_keep_to_one_thread_each(quarter: World) -> None:
    with pool.workers("", 2) as client:
        lab = Lab(client, quarter, MONTHS, Recipe(parameters=SMALL))
        assert lab.train(backtest.start_of("2013-03")).ready().fitted.threads == 1
