"""GET /metrics: what it says, who may read it, and that no caller can add series to it."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backend import accounts, clock
from backend.flights.events import WEATHER_KNOWN_AFTER, weather
from backend.monitoring import metrics
from backend.store import events as log
from backend.store import jobs, migrate, quality, sql
from tests.conftest import NOON, PASSWORD, Api
from tests.integration.scrapes import TOLD, Samples, judge, parsed, serve, value
from tests.integration.served import Served, problem

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"


def scrape(app: Api | Served) -> Samples:
    client = app.client() if isinstance(app, Api) else app.client
    answer = client.get("/metrics", headers=app.bearer("metrics"))
    assert answer.status_code == 200, answer.text
    return parsed(answer.text)


def series(samples: Samples) -> set[Any]:
    return set(samples)


@pytest.mark.sqlite("who may read does not depend on the database")
def test_the_metrics_account_reads_by_basic_or_token_and_nobody_else_but_admins(api: Api) -> None:
    for role in accounts.ROLES:
        answer = api.client().get("/metrics", headers=api.bearer(role))
        assert answer.status_code == (200 if role in ("metrics", "admin") else 403), role
    basic = base64.b64encode(f"metrics:{PASSWORD}".encode()).decode()
    answer = api.client().get("/metrics", headers={"Authorization": f"Basic {basic}"})
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    problem(api.client().get("/metrics"), 401)


@pytest.mark.sqlite("requests are counted in the process")
def test_a_thousand_unknown_paths_and_made_up_methods_add_no_series(api: Api) -> None:
    client = api.client()
    scrape(api)  # which counts the login and the scrape itself
    client.get("/nowhere")
    client.open("/jobs", method="BREW")
    before = scrape(api)
    for number in range(1000):
        client.get(f"/nowhere/{number}")
        client.open("/jobs", method=f"BREW{number}")
    after = scrape(api)
    assert series(after) == series(before)
    labels = {"method": "GET", "url_rule": "other", "status": "404"}
    assert value(after, "pushback_http_request_duration_seconds_count", **labels) == 1001
    assert value(after, "pushback_http_request_total", method="other", status="405") == 1001


@pytest.mark.sqlite("requests are counted in the process")
def test_requests_are_counted_by_their_rule(api: Api) -> None:
    for number in range(5):
        api.client().get(f"/jobs/{number}", headers=api.bearer("viewer"))
    found = scrape(api)
    labels = {"method": "GET", "url_rule": "/jobs/<identity>", "status": "404"}
    assert value(found, "pushback_http_request_duration_seconds_count", **labels) == 5
    assert value(found, "pushback_http_request_duration_seconds_bucket", **labels, le="10.0") == 5


def test_predictions_are_counted_by_version_and_band_with_their_distribution(served: Served) -> None:
    before = scrape(served)
    answers = served.predict([{"id": flight["id"]} for flight in served.coming()[:200]])
    assert len(answers) > 100
    after = scrape(served)

    def more(name: str, **labels: str) -> float:
        return (value(after, name, **labels) or 0) - (value(before, name, **labels) or 0)

    for band in ("low", "medium", "high"):
        expected = sum(answer["band"] == band for answer in answers)
        assert more("pushback_predictions_total", version="1", band=band) == expected
    for bound in metrics.PROBABILITIES:
        below = sum(answer["probability"] <= bound for answer in answers)
        assert more("pushback_prediction_probability_bucket", version="1", le=str(bound)) == below
    total = sum(answer["probability"] for answer in answers)
    assert more("pushback_prediction_probability_sum", version="1") == pytest.approx(total)


def test_before_the_first_ingest_there_are_metrics_too(api: Api) -> None:
    found = scrape(api)
    assert value(found, "pushback_build_info", version="0.1.0", mode="replay", schema=migrate.HEAD) == 1
    assert value(found, "pushback_oldest_queued_job_age_seconds") == 0
    assert value(found, "pushback_champion_age_seconds") is None
    assert (value(found, "pushback_database_size_bytes") or 0) > 50_000
    assert (value(found, "pushback_disk_free_bytes") or 0) > 0


def test_the_queue_is_counted_by_kind_and_state_and_failures_are_seen_for_a_day(api: Api) -> None:
    for created_at in (NOON - clock.HOUR, NOON - 2 * clock.DAY):
        jobs.enqueue(api.engine, "training", {}, "tests", created_at)
        claim = jobs.claim(api.engine, ["training"])
        assert claim is not None
        claim.fail("it was to fail")
    for seconds in (90, 30):
        jobs.enqueue(api.engine, "performance", {}, "tests", NOON - seconds)
    found = scrape(api)
    assert value(found, "pushback_jobs", kind="performance", state="queued") == 2
    assert value(found, "pushback_oldest_queued_job_age_seconds") == 90
    assert value(found, "pushback_failed_jobs", kind="training") == 1


def test_differences_are_those_of_the_newest_audit_that_was_done(api: Api) -> None:
    assert value(scrape(api), "pushback_skew_differences") is None
    for differ in (3, 0):
        jobs.enqueue(api.engine, "audit", {}, "tests", NOON - differ)
        claim = jobs.claim(api.engine, ["audit"])
        assert claim is not None
        claim.finish({"differ": differ})
        assert value(scrape(api), "pushback_skew_differences") == differ


def test_ages_are_by_the_data_clock(api: Api) -> None:
    serve(api.engine, 7)
    with sql.writing(api.engine) as connection:
        log.append(connection, [weather("EWR", TOLD - clock.HOUR, {"temp": 41.0})])
        log.move_clock(connection, TOLD + 3 * clock.DAY)
    found = scrape(api)
    assert value(found, "pushback_champion_info", version="7") == 1
    assert value(found, "pushback_champion_age_seconds") == 3 * clock.DAY
    assert value(found, "pushback_data_clock_timestamp_seconds") == TOLD + 3 * clock.DAY
    assert value(found, "pushback_observation_age_seconds") == 3 * clock.DAY - WEATHER_KNOWN_AFTER + clock.HOUR


def test_the_quality_of_what_feeders_tell_is_of_two_days_and_names_nothing_they_made_up(api: Api) -> None:
    with sql.writing(api.engine) as connection:
        log.move_clock(connection, TOLD)
        for days_ago, number in ((0, 2), (1, 3), (2, 100)):
            told = {("refused", "unknown airport"): number, ("unknown_carrier", f"X{number}"): number}
            quality.count(connection, TOLD - days_ago * clock.DAY, quality.Counts(told))
    found = scrape(api)
    assert value(found, "pushback_observations", what="refused", which="unknown airport") == 5
    assert value(found, "pushback_observations", what="unknown_carrier", which="") == 5


def test_the_verdict_on_the_champion_is_a_yes_or_a_no_with_its_interval(api: Api) -> None:
    serve(api.engine, 1)
    judge(api.engine, 1, True)
    found = scrape(api)
    assert value(found, "pushback_model_quality_down") == 1
    names = ("brier_score", "brier_score_lower", "brier_score_upper", "trained_brier_score", "auc", "auc_lower")
    assert [value(found, f"pushback_champion_{name}") for name in names] == [0.16, 0.15, 0.17, 0.14, 0.7, 0.68]
    assert value(found, "pushback_live_brier_score", window="28d", lead_minutes="120") == 0.161
    judge(api.engine, 1, None)
    assert value(scrape(api), "pushback_model_quality_down") is None, "it is too early to tell"
    judge(api.engine, 1, False)
    assert value(scrape(api), "pushback_model_quality_down") == 0
    serve(api.engine, 2)
    assert value(scrape(api), "pushback_model_quality_down") is None, "the verdict was another version's"


def documented() -> list[list[str]]:
    """The rows of the document's table of metrics: their cells."""
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `pushback_")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_metric_has_its_line_in_the_document_with_kind_and_labels_and_no_line_is_of_another() -> None:
    rows = {re.findall(r"`(pushback_\w+)`", cells[0])[0]: cells for cells in documented()}
    assert rows.keys() == {known.name for known in metrics.ALL}
    for known in metrics.ALL:
        assert rows[known.name][1] == known.kind
        assert set(re.findall(r"`(\w+)`", rows[known.name][2])) == set(known.labels), known.name


def test_what_is_exported_has_the_names_kinds_and_labels_that_are_declared(api: Api) -> None:
    serve(api.engine, 1)
    judge(api.engine, 1, False)
    with sql.writing(api.engine) as connection:
        log.append(connection, [weather("EWR", TOLD - clock.DAY, {"temp": 41.0})])
        log.move_clock(connection, TOLD)
        quality.count(connection, TOLD, quality.Counts({("refused", "no weather"): 1}))
    jobs.enqueue(api.engine, "training", {}, "tests", NOON)
    metrics.predicted([(1, 0.5)])
    text = api.client().get("/metrics", headers=api.bearer("metrics")).text
    known, seen = {each.name.removesuffix("_total"): each for each in metrics.ALL}, set()
    for family in text_string_to_metric_families(text):
        declared = known[family.name]
        seen.add(declared)
        assert (family.type, family.documentation) == (declared.kind, declared.says)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(declared.labels)
    assert seen == set(metrics.ALL)
