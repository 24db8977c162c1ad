"""What is in deploy/ for Prometheus and Alertmanager: the rules fire when they should, and an alert of a real
Prometheus over a real API becomes a queued training."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml
from sqlalchemy import Engine

from backend.clock import DAY
from backend.monitoring import metrics
from backend.settings import Settings
from backend.store import events as log
from backend.store import jobs, ledger, sql
from jobs.launch import free, watchers
from tests.integration.running import PATIENCE_SECONDS, ROOT, serving
from tests.integration.scrapes import TOLD, judge, serve

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
TESTS = DEPLOY / "prometheus" / "rules_test.yml"


def tool(name: str) -> str:
    """The program of that name. Skips where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def rules() -> list[dict[str, Any]]:
    said = yaml.safe_load(RULES.read_text())
    return [rule for group in said["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(
    "command",
    [
        "promtool check config {}/prometheus/prometheus.yml",
        "promtool test rules {}/prometheus/rules_test.yml",
        "amtool check-config {}/alertmanager/alertmanager.yml",
    ],
)
def test_the_tools_find_nothing_wrong_and_every_rule_does_what_its_test_says(command: str) -> None:
    name, *words = command.format(DEPLOY).split()
    done = subprocess.run([tool(name), *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    named = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == named
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == named


def test_rules_ask_for_metrics_that_there_are() -> None:
    known = {each.name for each in metrics.ALL}
    for rule in rules():
        for name in re.findall(r"pushback_\w+", f"{rule['expr']} {rule['annotations']['description']}"):
            assert name in known or re.sub(r"_(bucket|count|sum)$", "", name) in known, rule["alert"]


@contextmanager
def running(*command: str) -> Iterator[None]:
    """A program that runs until the end of the block."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()


Found = TypeVar("Found")


def until(found: Callable[[], Found | None]) -> Found:
    """What is found, as soon as it is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (result := found()) is None:
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)
    return result


@pytest.mark.sqlite("Prometheus knows no database")
def test_an_alert_of_a_real_prometheus_becomes_a_queued_training(
    home: Settings, engine: Engine, tmp_path: Path
) -> None:
    tool("prometheus")
    serve(engine, 1)
    judge(engine, 1, True)
    with sql.writing(engine) as connection:
        log.move_clock(connection, TOLD + 10 * DAY)  # trainings wait for some days after the last
    port, asked = free.port(), free.port()

    def query(expression: str) -> list[Any] | None:
        try:
            said = httpx.get(f"http://127.0.0.1:{asked}/api/v1/query", params={"query": expression}).json()
        except httpx.TransportError:
            return None
        return said["data"]["result"] or None

    def queued() -> dict[str, Any] | None:
        found, _ = jobs.listing(engine, kind="training")
        return found[0] if found else None

    with serving(home, tmp_path / "log") as api:
        api.client.get("/health/ready")  # whose first start makes the accounts and their passwords
        here = replace(home, api_port=api.port)
        watchers.configure(tmp_path / "deploy", here, port, hurried=True)
        commands = watchers.commands(tmp_path / "deploy", {"prometheus": asked, "alertmanager": port})
        with running(*commands["prometheus"]), running(*commands["alertmanager"]):
            job = until(queued)
            until(lambda: query('pushback_jobs{kind="training", state="queued"} == 1'))
            assert query('up{job="pushback"} == 1') and query("pushback_model_quality_down == 1")
            judged = httpx.get(f"http://127.0.0.1:{asked}/api/v1/rules").json()["data"]["groups"]
    assert {rule["health"] for group in judged for rule in group["rules"]} == {"ok"}
    with engine.connect() as connection:
        (decision,) = ledger.decisions(connection, "alerted", 10)
    assert (decision.actor, decision.evidence["job"]) == ("alerts", job["id"])
    assert [alert["name"] for alert in decision.evidence["alerts"]] == ["ModelQualityDown"]
