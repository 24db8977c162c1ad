"""What a scrape of GET /metrics says, and a database that has something to say in it."""

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from backend import clock
from backend.store import deployments, ledger, performance, sql
from tests.conftest import NOON

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
TOLD = clock.to_epoch(datetime(2013, 4, 1, 4, tzinfo=UTC))


def parsed(text: str) -> Samples:
    """Each sample of a scrape by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    """That series' value, None where it is not there."""
    return samples.get((name, frozenset(labels.items())))


def serve(engine: Engine, version: int) -> None:
    """Let a version serve that has learned up to TOLD."""
    with sql.writing(engine) as connection:
        trained = {"version": version, "data_until": clock.iso(TOLD)}
        decision = ledger.decide(connection, "trained", NOON, TOLD, "tests", "for this test", trained)
        deployments.deploy(connection, version, "none.zip", "0" * 64, NOON, TOLD, decision)


def judge(engine: Engine, version: int, down: bool | None) -> None:
    """Write a row of figures as jobs.performance does, with its verdict."""
    numbers = {"version": version, "trained_brier": 0.14, "trained_auc": 0.78}
    scores = {"brier": 0.16, "auc": 0.7, "brier_interval": (0.15, 0.17), "auc_interval": (0.68, 0.72)}
    said = {"auc": 0.71, "brier": 0.161, "quality": numbers | {"down": down, "sentence": "so it is"} | scores}
    about = {"span": "28d", "lead_minutes": 120, "slice": "all", "value": "", "judged_at": NOON, "complete": True}
    with sql.writing(engine) as connection:
        performance.record(connection, [about | {"day": "2013-03-29", "seq": 1, "said": said}])
