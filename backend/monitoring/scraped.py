"""What stands in the database, as Prometheus reads it: when it asks, and the same whichever worker answers."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Connection

from backend.clock import DAY, to_epoch
from backend.monitoring import metrics
from backend.monitoring.answered import HEADLINE
from backend.monitoring.metrics import Series
from backend.store import deployments, jobs, ledger, performance, quality, sql
from backend.store import events as log

Values = Iterable[tuple[tuple[Any, ...], float | None]]  # the labels of each series, and its value where there is one
Found = Iterator[tuple[Series, Values]]


def families(connection: Connection, now: int) -> Iterator[GaugeMetricFamily]:
    """The gauges. `now` is the wall clock in epoch seconds."""
    for read in READ:
        for series, values in read(connection, now):
            yield family(series, values)


def family(series: Series, values: Values) -> GaugeMetricFamily:
    """The family of those values. Label values become text."""
    made = GaugeMetricFamily(series.name, series.says, labels=series.labels)
    for labels, value in values:
        if value is not None:
            made.add_metric([str(label) for label in labels], value)
    return made


def _size(connection: Connection, _now: int) -> Found:
    yield metrics.DATABASE_SIZE, [((), sql.size_bytes(connection))]


def _observations(connection: Connection, _now: int) -> Found:
    at = log.data_clock(connection)
    if at is None:
        return
    newest = log.newest_known(connection, at)
    yield metrics.DATA_CLOCK, [((), at)]
    yield metrics.OBSERVATION_AGE, [((), None if newest is None else at - newest)]
    told: Counter[tuple[str, str]] = Counter()
    for (what, which), number in quality.since(connection, at // DAY * DAY - DAY).items():
        told[what, "" if what == "unknown_carrier" else which] += number  # feeders may make up any number of carriers
    yield metrics.OBSERVATIONS, sorted(told.items())


def _jobs(connection: Connection, now: int) -> Found:
    waiting = jobs.waiting(connection)
    queued = [now - each.first_at for each in waiting if each.state == "queued"]
    yield metrics.JOBS, [((each.kind, each.state), each.number) for each in waiting]
    yield metrics.OLDEST_JOB, [((), max(0, *queued, 0))]
    yield metrics.FAILED_JOBS, [((kind,), number) for kind, number in jobs.failed(connection, now - DAY).items()]
    audit = jobs.newest_result(connection, "audit")
    yield metrics.SKEW_DIFFERENCES, [((), None if audit is None else audit["differ"])]


def _champion(connection: Connection, _now: int) -> Found:
    serving = deployments.current(connection)
    if serving is None:
        return
    yield metrics.CHAMPION, [((serving.version,), 1)]
    trained, at = ledger.training_of(connection, serving.version), log.data_clock(connection)
    if trained is not None and at is not None:
        yield metrics.CHAMPION_AGE, [((), at - to_epoch(datetime.fromisoformat(trained["data_until"])))]
    windows = performance.newest_windows(connection)
    for series, figure in ((metrics.LIVE_BRIER, "brier"), (metrics.LIVE_AUC, "auc")):
        yield series, [((row.span, row.lead_minutes), row.said.get(figure)) for row in windows]
    verdicts = (row.said.get("quality") for row in windows if row.lead_minutes == HEADLINE)
    for verdict in verdicts:
        if verdict and verdict["version"] == serving.version and verdict["down"] is not None:
            yield from _quality(verdict)


def _quality(verdict: dict[str, Any]) -> Found:
    auc, brier = verdict["auc_interval"] or (None, None), verdict["brier_interval"]
    said = {
        metrics.QUALITY_DOWN: int(verdict["down"]),
        metrics.CHAMPION_BRIER: verdict["brier"],
        metrics.CHAMPION_BRIER_LOWER: brier[0],
        metrics.CHAMPION_BRIER_UPPER: brier[1],
        metrics.TRAINED_BRIER: verdict["trained_brier"],
        metrics.CHAMPION_AUC: verdict["auc"],
        metrics.CHAMPION_AUC_LOWER: auc[0],
        metrics.CHAMPION_AUC_UPPER: auc[1],
        metrics.TRAINED_AUC: verdict["trained_auc"],
    }
    for series, value in said.items():
        yield series, [((), value)]


# Each reads what it is about; `now` is the wall clock.
READ: tuple[Callable[[Connection, int], Found], ...] = (_size, _observations, _jobs, _champion)
