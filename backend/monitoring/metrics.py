"""The names and meanings of everything that Prometheus reads here, and what the API counts of its answers.

What the API counts lies in each worker process (`worker_counts.py`); what stands in the database is read when
Prometheus asks (`scraped.py`). docs/monitoring.md has a line for each series, and a test compares.
"""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from backend.model import scoring


class Series(NamedTuple):
    """A family of series, as Prometheus shows it: name, kind (counter, gauge, histogram), labels, and what it says."""

    name: str
    kind: str
    labels: tuple[str, ...]
    says: str


PREFIX = "pushback"
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PROBABILITIES = tuple(round(tenth / 20, 2) for tenth in range(1, 21))

# By prometheus-flask-exporter, whose words these are.
REQUEST_DURATION = Series(
    "pushback_http_request_duration_seconds",
    "histogram",
    ("method", "url_rule", "status"),
    "Flask HTTP request duration in seconds",
)
REQUESTS = Series("pushback_http_request_total", "counter", ("method", "status"), "Total number of HTTP requests")
EXCEPTIONS = Series(
    "pushback_http_request_exceptions_total",
    "counter",
    ("method", "status"),
    "Total number of HTTP requests which resulted in an exception",
)

# Counted by POST /predict.
PREDICTIONS = Series("pushback_predictions_total", "counter", ("version", "band"), "Flights that were answered about")
PROBABILITY = Series("pushback_prediction_probability", "histogram", ("version",), "Probabilities that were answered")

# Read from the database. Ages are by the data clock, where nothing else is said.
BUILD = Series("pushback_build_info", "gauge", ("version", "mode", "schema"), "1, with what runs here as labels")
DATABASE_SIZE = Series("pushback_database_size_bytes", "gauge", (), "Room that the database takes")
DISK_FREE = Series(
    "pushback_disk_free_bytes", "gauge", (), "Room that is left on the disk of bundles, uploads and results"
)
DATA_CLOCK = Series("pushback_data_clock_timestamp_seconds", "gauge", (), "The data clock, since 1970")
OBSERVATION_AGE = Series("pushback_observation_age_seconds", "gauge", (), "Since the newest fact became known")
OBSERVATIONS = Series(
    "pushback_observations",
    "gauge",
    ("what", "which"),
    "What feeders told on the data clock's day and the day before, in UTC",
)
JOBS = Series("pushback_jobs", "gauge", ("kind", "state"), "Jobs that are queued or running")
OLDEST_JOB = Series(
    "pushback_oldest_queued_job_age_seconds", "gauge", (), "How long the first job waits, by the wall clock; 0 if none"
)
FAILED_JOBS = Series("pushback_failed_jobs", "gauge", ("kind",), "Jobs of the last 24 h of the wall clock that failed")
SKEW_DIFFERENCES = Series(
    "pushback_skew_differences",
    "gauge",
    (),
    "Answers of the newest audit whose features are others when they are made anew",
)
CHAMPION = Series("pushback_champion_info", "gauge", ("version",), "1, with the version that answers as label")
CHAMPION_AGE = Series(
    "pushback_champion_age_seconds", "gauge", (), "Since the moment whose knowledge the champion learned from"
)
WINDOW = ("window", "lead_minutes")
LIVE_BRIER = Series("pushback_live_brier_score", "gauge", WINDOW, "Brier score of all answers in the window")
LIVE_AUC = Series("pushback_live_auc", "gauge", WINDOW, "ROC AUC of all answers in the window")
QUALITY_DOWN = Series(
    "pushback_model_quality_down",
    "gauge",
    (),
    "1 where the champion does worse than at its training, 0 where it does not",
)
CHAMPION_BRIER = Series(
    "pushback_champion_brier_score", "gauge", (), "Brier score of the champion's own answers at 2 h, 28 days"
)
CHAMPION_BRIER_LOWER = Series("pushback_champion_brier_score_lower", "gauge", (), "Lower end of its 95 % interval")
CHAMPION_BRIER_UPPER = Series("pushback_champion_brier_score_upper", "gauge", (), "Upper end of its 95 % interval")
TRAINED_BRIER = Series("pushback_champion_trained_brier_score", "gauge", (), "The same at its training")
CHAMPION_AUC = Series("pushback_champion_auc", "gauge", (), "ROC AUC of the champion's own answers at 2 h, 28 days")
CHAMPION_AUC_LOWER = Series("pushback_champion_auc_lower", "gauge", (), "Lower end of its 95 % interval")
CHAMPION_AUC_UPPER = Series("pushback_champion_auc_upper", "gauge", (), "Upper end of its 95 % interval")
TRAINED_AUC = Series("pushback_champion_trained_auc", "gauge", (), "The same at its training")

ALL = tuple(found for found in tuple(globals().values()) if isinstance(found, Series))


class _Histogram(Histogram):
    """A histogram that takes many values at once: a thousand in the time of a few."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Observes each."""
        self._sum.inc(sum(values))
        for place, number in Tally(bisect_left(self._upper_bounds, value) for value in values).items():
            self._buckets[place].inc(number)


disable_created_metrics()  # which processes that count together do not have
registry = CollectorRegistry()
_predictions = Counter(PREDICTIONS.name, PREDICTIONS.says, PREDICTIONS.labels, registry=registry)
_probability = _Histogram(
    PROBABILITY.name, PROBABILITY.says, PROBABILITY.labels, registry=registry, buckets=PROBABILITIES
)


def predicted(answers: Iterable[tuple[int, float]]) -> None:
    """Counts answers: the version that gave each, and its probability."""
    by_version: dict[int, list[float]] = {}
    for version, probability in answers:
        by_version.setdefault(version, []).append(probability)
    for version, probabilities in by_version.items():
        bands, distribution = _of(version)
        for band, number in Tally(map(scoring.band, probabilities)).items():
            bands[band].inc(number)
        distribution.observe_all(probabilities)


@cache
def _of(version: int) -> tuple[dict[str, Counter], _Histogram]:
    """The series of a version: looking them up takes longer than counting."""
    return {band: _predictions.labels(version, band) for band in scoring.BANDS}, _probability.labels(version)
