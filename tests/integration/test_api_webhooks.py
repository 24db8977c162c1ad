"""Alerts that start a training, or do not, and why; and the settings that decide it."""

from typing import Any

import pytest

from backend import clock, options
from backend.store import events as log
from backend.store import jobs, sql
from tests.conftest import World
from tests.integration import rivals
from tests.integration.served import Served, problem

DAY = clock.DAY


def alert(
    name: str = "ModelQualityDown", status: str = "firing", since: str = "2013-04-09T04:00:00Z"
) -> dict[str, Any]:
    return {"status": status, "labels": {"alertname": name, "severity": "page"}, "startsAt": since, "generatorURL": "x"}


ALERTMANAGER = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "pushback", "truncatedAlerts": 0}
GRAFANA = {"orgId": 1, "title": "[FIRING:1]", "state": "alerting", "message": "…", "receiver": "pushback"}


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Served:
    """A process over a world of its own, eight days after its training, asked by the machine account of alerts."""
    served = Served.over(world_copy, password_hash).by("alerts")
    go_on(served, 8)
    return served


def go_on(served: Served, days: float) -> None:
    with sql.writing(served.engine) as connection:
        log.move_clock(connection, int((log.data_clock(connection) or 0) + days * DAY))


def post(served: Served, *alerts: dict[str, Any], around: dict[str, Any] | None = None) -> Any:
    body = {**(around or ALERTMANAGER), "alerts": list(alerts)}
    answer = served.client.post("/webhooks/alerts", json=body, headers=served.headers)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def put(served: Served, name: str, values: dict[str, Any], role: str = "admin") -> Any:
    return served.client.put(f"/settings/{name}", json=values, headers=served.bearer(role))


def train(own: Served) -> None:
    """A worker does the training that waits: while one does, no alert starts another."""
    claim = jobs.claim(own.engine, ["training"])
    assert claim is not None
    claim.finish({})


@pytest.mark.parametrize("around", [ALERTMANAGER, GRAFANA], ids=["Alertmanager", "Grafana"])
def test_a_firing_alert_queues_one_training_and_the_ledger_says_so(own: Served, around: dict[str, Any]) -> None:
    heard = post(own, alert(), alert("FeaturesDrifted"), around=around)
    assert heard["queued"]
    job = jobs.get(own.engine, heard["job"])
    assert job is not None and (job["kind"], job["owner"], job["state"]) == ("training", "alerts", "queued")
    (row,) = rivals.decisions(own.world.settings, "alerted")
    assert (str(row.id), row.actor, row.evidence["job"]) == (heard["decision"], "alerts", heard["job"])
    assert "FeaturesDrifted, ModelQualityDown" in row.summary


def test_the_same_alert_posted_again_and_again_queues_nothing_more(own: Served) -> None:
    first = post(own, alert())
    for around in (ALERTMANAGER, GRAFANA):
        again = post(own, alert(), around=around)
        assert not again["queued"] and first["job"] in again["reason"]
    # Why it did not is written down once, however often it is asked.
    assert again["decision"] != first["decision"] and len(rivals.decisions(own.world.settings, "alerted")) == 2
    train(own)
    go_on(own, 30)
    assert not post(own, alert())["queued"], "it has not ended since"
    assert post(own, alert(since="2013-05-20T04:00:00Z"))["queued"]


def test_after_a_training_alerts_wait(own: Served) -> None:
    assert post(own, alert())["queued"]
    train(own)
    assert "wait 7 days" in post(own, alert("FeaturesDrifted"))["reason"]
    assert put(own, "retraining", {"cooldown_days": 0.5, "most_a_day": 1}).status_code == 200
    go_on(own, 0.75)
    assert "may start 1" in post(own, alert("FeaturesDrifted"))["reason"]
    go_on(own, 0.5)
    assert post(own, alert("FeaturesDrifted"))["queued"]


def test_what_is_resolved_starts_nothing(own: Served) -> None:
    assert post(own, alert(status="resolved"))["reason"] == "no alert is firing"
    (row,) = rivals.decisions(own.world.settings, "alerted")
    assert row.evidence["job"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"alerts": []},
        {"alerts": "all"},
        {"alerts": [{"status": "firing"}]},
        {"alerts": [alert() | {"status": "loud"}]},
        {"alerts": [alert() | {"labels": {"alertname": 7}}]},
        {"alerts": [alert()] * 1001},
    ],
    ids=lambda body: str(body)[:30],
)
def test_what_is_no_notification_is_refused_and_starts_nothing(own: Served, body: dict[str, Any]) -> None:
    problem(own.client.post("/webhooks/alerts", json=body, headers=own.headers), 422)
    assert not rivals.decisions(own.world.settings, "alerted")


def test_only_the_account_of_alerts_may(own: Served) -> None:
    for role in ("viewer", "operator", "admin", "feeder"):
        headers = own.bearer(role)
        problem(own.client.post("/webhooks/alerts", json={"alerts": [alert()]}, headers=headers), 403)


def test_settings_are_changed_by_an_admin_within_bounds_and_the_ledger_says_by_whom(own: Served) -> None:
    viewer = own.by("viewer")
    before = {item["name"]: item["values"] for item in viewer.get("/settings").get_json()["items"]}
    assert set(before) == set(options.GROUPS)
    assert before["costs"] == {"false_alarm": 1, "miss": 4}
    assert before["retraining"] == {"cooldown_days": 7, "most_a_day": 1, "by_verdict": True}
    assert put(own, "costs", {"miss": 10}).get_json()["values"] == {"false_alarm": 1, "miss": 10}
    assert viewer.get("/settings/costs").get_json()["values"]["miss"] == 10
    (row,) = rivals.decisions(own.world.settings, "configured")
    assert row.actor == "admin" and row.summary == "admin changed costs: miss 4.0 → 10.0"
    for wrong in ({"miss": -1}, {"miss": "dear"}, {"price": 3}, {"miss": None}):
        problem(put(own, "costs", wrong), 422)
    problem(put(own, "weather", {}), 404)
    for role in ("viewer", "operator", "alerts"):
        problem(put(own, "costs", {"miss": 1}, role), 403)
    assert viewer.get("/settings/costs").get_json()["values"]["miss"] == 10
