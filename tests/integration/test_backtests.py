"""Back-tests as people ask for them: POST /backtests, GET /policies, the job between them, and the command line."""

import csv
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from backend import clock
from backend.model import policies as rules
from backend.store import jobs, policies, sql
from backend.store.jobs import LostClaim
from jobs import backtest, worker
from jobs import policies as lab_job
from tests.conftest import Api, enter

SMALL = {"num_iterations": 6, "num_leaves": 7, "min_data_in_leaf": 50, "max_bin": 31}


def ask(api: Api, role: str = "operator", **body: object) -> Any:
    return api.client().post("/backtests", headers=api.bearer(role), json=body)


def listed(api: Api, role: str = "viewer", **query: Any) -> dict[str, Any]:
    answer = api.client().get("/policies", headers=api.bearer(role), query_string=query)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.get_json()
    return said


def said_of(policy: str, **about: object) -> dict[str, Any]:
    """What a back-test might say of a policy."""
    good = {"flights": 100, "base_rate": 0.25, "auc": 0.75, "brier": 0.15, "calibration_error": 0.01}
    mean = {name: good[name] for name in ("auc", "brier", "calibration_error")}
    said: dict[str, Any] = {"policy": policy, "metrics": good, "mean": mean, "months": [{"month": "2013-04", **good}]}
    said |= {"by_lead": [{"lead_hours": 0.5, **good}], "trainings": 2, "promotions": 1, "cpu_seconds": 12.5}
    stint = {
        "since": "2013-04-01T04:00:00Z",
        "learned_until": "2013-03-30T15:00:00Z",
        "learned_from": 9,
        "why": "first",
    }
    differs = {"difference": 0.01, "low": -0.01, "high": None}
    return said | {"stints": [stint], "against": [{"policy": "never", "auc": differs, "brier": differs}]} | about


def record(api: Api, backtest_id: str, *names: str) -> None:
    with sql.writing(api.engine) as connection:
        months = ("2013-04", "2013-06")
        policies.record(connection, backtest_id, api.clock[0], "anna", months, [said_of(name) for name in names])


def test_a_backtest_is_a_queued_job_of_the_usual_policies_and_months(api: Api) -> None:
    answer = ask(api)
    assert answer.status_code == 202
    job = answer.get_json()
    assert (job["kind"], job["state"], job["owner"]) == ("backtest", "queued", "operator")
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    stored = jobs.get(api.engine, job["id"])
    assert stored is not None
    assert stored["params"] == {"policies": list(rules.USUAL), "from": "2013-04", "to": "2013-12"}
    assert worker.KINDS["backtest"] == "jobs.policies"


def test_asking_for_the_same_again_gives_the_job_that_waits(api: Api) -> None:
    first = ask(api, policies=["never", "monthly"]).get_json()
    assert ask(api, "admin", policies=["never", "monthly"]).get_json()["id"] == first["id"]
    assert ask(api, policies=["monthly", "never"]).get_json()["id"] != first["id"]
    assert ask(api, policies=["never", "monthly"], to="2013-11").get_json()["id"] != first["id"]


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_only_operators_start_one(api: Api, role: str) -> None:
    assert ask(api, role).status_code == 403
    assert api.client().post("/backtests", json={}).status_code == 401
    assert jobs.count(api.engine, "queued") == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"policies": ["weekly"]}, "is no policy: there are never, monthly"),
        ({"policies": []}, "at least 1"),
        ({"policies": ["never", "never"]}, "named twice"),
        ({"from": "2013-13"}, "pattern"),
        ({"from": "2013-06", "to": "2013-05"}, "2013-06 comes after 2013-05"),
        ({"trees": 5}, "there is no such field"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_words(api: Api, body: dict[str, Any], reason: str) -> None:
    answer = ask(api, **body)
    assert answer.status_code == 422 and reason in answer.text
    assert jobs.count(api.engine, "queued") == 0


def test_before_the_first_backtest_the_list_is_empty(api: Api) -> None:
    assert listed(api) == {"items": [], "next": None}
    assert api.client().get("/policies").status_code == 401


def test_policies_are_listed_newest_first_by_pages(api: Api) -> None:
    record(api, "one", "never", "monthly")
    record(api, "two", "never", "evidence")
    first = listed(api, limit=3)
    assert [(one["backtest"], one["policy"]) for one in first["items"]] == [
        ("two", "evidence"),
        ("two", "never"),
        ("one", "monthly"),
    ]
    assert {name: first["items"][2][name] for name in said_of("monthly")} == said_of("monthly")
    assert first["items"][2]["first"] == "2013-04" and first["items"][2]["at"] == clock.iso(api.clock[0])
    rest = listed(api, limit=3, cursor=first["next"])
    assert [one["policy"] for one in rest["items"]] == ["never"] and rest["next"] is None


def test_policies_are_found_by_their_backtest_and_by_name(api: Api) -> None:
    record(api, "one", "never", "monthly")
    record(api, "two", "never", "evidence")
    assert [one["policy"] for one in listed(api, backtest="one")["items"]] == ["monthly", "never"]
    assert [one["backtest"] for one in listed(api, policy="never")["items"]] == ["two", "one"]
    assert listed(api, policy="never", backtest="three")["items"] == []


def test_a_backtest_that_is_stored_stays_as_it_is(api: Api) -> None:
    record(api, "one", "never")
    record(api, "one", "monthly")
    assert [one["policy"] for one in listed(api)["items"]] == ["never"]


def test_the_job_replays_once_and_what_it_found_is_listed(api: Api, first_quarter: Path) -> None:
    shutil.copyfile(first_quarter, api.settings.home / "research.db")
    job = ask(api, policies=["never", "monthly"], **{"from": "2013-02", "to": "2013-03"}).get_json()
    stored = jobs.get(api.engine, job["id"])
    assert stored is not None
    params = {**stored["params"], "actor": "operator", "job": job["id"], "parameters": SMALL}
    seen: list[tuple[float, str]] = []
    with ThreadPoolExecutor(1) as job_thread:  # the worker runs no job in its main thread
        done = job_thread.submit(lab_job.run, api.settings, params, lambda *step: seen.append(step), lambda _: None)
        result = done.result()
    assert result["backtest"] == job["id"] and [one["policy"] for one in result["policies"]] == ["never", "monthly"]
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] < 1 and len(set(fractions)) > 4
    assert {"never has got through 2013-03", "monthly has got through 2013-02"} <= {message for _, message in seen}
    never, monthly = listed(api, backtest=job["id"])["items"][::-1]
    assert (never["trainings"], never["promotions"]) == (1, 0)
    assert (monthly["trainings"], monthly["promotions"]) == (2, 1)
    assert [one["month"] for one in monthly["months"]] == ["2013-02", "2013-03"]
    assert [one["lead_hours"] for one in monthly["by_lead"]] == [0.5, 2, 6, 24]
    assert monthly["metrics"]["flights"] == sum(one["flights"] for one in monthly["months"])
    (against,) = monthly["against"]
    assert against["policy"] == "never"
    apart = monthly["metrics"]["brier"] - never["metrics"]["brier"]
    assert against["brier"]["difference"] == pytest.approx(apart, abs=1e-12)
    assert against["brier"]["low"] < apart < against["brier"]["high"]
    assert monthly["actor"] == "operator" and monthly["cpu_seconds"] > never["cpu_seconds"] > 0
    seen.clear()
    assert lab_job.run(api.settings, params, lambda *step: seen.append(step), lambda _: None) == result
    assert not seen


def test_a_job_that_was_lost_stores_nothing(api: Api, first_quarter: Path) -> None:
    shutil.copyfile(first_quarter, api.settings.home / "research.db")

    def lost(_connection: Connection) -> None:
        raise LostClaim("another worker has it")

    params = {"policies": ["never"], "from": "2013-03", "to": "2013-03", "parameters": SMALL}
    with pytest.raises(LostClaim):
        lab_job.run(api.settings, params, lambda *_: None, lost)
    assert listed(api)["items"] == []


@pytest.fixture(name="installed")
def make_installed(api: Api, first_quarter: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    """An installation with a research store, which the command line finds in the environment."""
    shutil.copyfile(first_quarter, api.settings.home / "research.db")
    enter(api.settings, monkeypatch)
    return api


def test_the_command_line_compares_policies_and_stores_what_it_found(
    installed: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, answers = tmp_path / "out.json", tmp_path / "out.csv"
    asked = ["--policy", "never,window:30d", "--from", "2013-02", "--to", "2013-03", "--trees", "4", "--threads", "1"]
    assert backtest.main([*asked, "--json", str(figures), "--predictions", str(answers)]) == 0
    printed = capsys.readouterr()
    assert "window:30d less never: AUC " in printed.out and "100%" in printed.err
    said = json.loads(figures.read_text())
    items = listed(installed, backtest=said["backtest"])["items"]
    assert [one["policy"] for one in items] == ["window:30d", "never"]
    assert [one["metrics"] for one in said["policies"]] == [one["metrics"] for one in items[::-1]]
    rows = list(csv.DictReader(answers.read_text().splitlines()))
    assert list(rows[0]) == ["policy", "date", "carrier", "flight", "origin", "as_of", "probability"]
    assert len(rows) == 2 * items[0]["metrics"]["flights"]
    assert {row["date"][:7] for row in rows} == {"2013-02", "2013-03"}


def test_monthly_alone_is_as_it_was(installed: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, answers = tmp_path / "out.json", tmp_path / "out.csv"
    asked = ["--policy", "monthly", "--lead", "30min", "--from", "2013-03", "--to", "2013-03"]
    assert backtest.main([*asked, "--json", str(figures), "--predictions", str(answers)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "month",
        "flights",
        "disrupted",
        "AUC",
        "Brier",
        "cal.err",
        "base",
        "AUC",
        "base",
        "Brier",
    ]
    assert lines[1].startswith("2013-03") and lines[2].startswith("mean")
    said = json.loads(figures.read_text())
    assert set(said) == {"policy", "lead_minutes", "months", "mean", "baseline_mean"}
    (month,) = said["months"]
    assert {"month", "flights", "auc", "brier", "baseline"} <= set(month) and 0.5 < month["auc"] < 1
    assert said["mean"]["auc"] == month["auc"] and said["lead_minutes"] == 30
    rows = list(csv.DictReader(answers.read_text().splitlines()))
    assert list(rows[0]) == ["date", "carrier", "flight", "origin", "as_of", "probability"]
    assert len(rows) == month["flights"]
    assert listed(installed)["items"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "never,weekly"], "'weekly' is no policy"),
        (["--policy", "never,never"], "names a policy twice"),
        (["--policy", "never", "--lead", "6h"], "--lead goes with --policy monthly alone"),
        (["--from", "2013-4"], "no month like 2013-04"),
    ],
)
def test_a_mistake_in_the_command_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        backtest.main(arguments)
    assert said in capsys.readouterr().err


def test_a_month_that_the_store_lacks_ends_in_a_sentence(installed: Api, capsys: pytest.CaptureFixture[str]) -> None:
    for names in ("monthly", "never,monthly"):
        assert backtest.main(["--policy", names, "--from", "2013-08", "--to", "2013-08"]) == 1
        assert "no flights with an outcome in 2013-08" in capsys.readouterr().err
    assert listed(installed)["items"] == []
