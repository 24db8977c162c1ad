"""GET /metrics: what Prometheus reads, and the counting of requests by their rule."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from apiflask import APIBlueprint, APIFlask
from flask import Request, Response, current_app, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_flask_exporter import PrometheusMetrics

from backend.api import context
from backend.api.auth import METRICS, auth
from backend.monitoring import metrics, scraped, worker_counts
from backend.store import migrate
from backend.store.blobs import Blobs

bp = APIBlueprint("metrics", __name__, tag="Monitoring")

EXPORTER = f"{metrics.PREFIX}_exporter_info"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
EXAMPLE = """# HELP pushback_champion_age_seconds Since the moment whose knowledge the champion learned from
# TYPE pushback_champion_age_seconds gauge
pushback_champion_age_seconds 86400.0
"""
TEXT: dict[int | str, Any] = {
    200: {
        "description": "Prometheus's text format, 0.0.4",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}


class _Counted(NamedTuple):
    """Where requests are counted: in a registry, and in a folder where several processes count together."""

    registry: CollectorRegistry
    folder: Path | None

    def families(self) -> Iterator[Metric]:
        """What all worker processes have counted, without the exporter's own version, which each of them repeats."""
        if self.folder is not None:
            found: Iterable[Metric] = worker_counts.collect(self.folder)
        else:
            found = [*self.registry.collect(), *metrics.registry.collect()]
        return (family for family in found if family.name != EXPORTER)


class _Families(Collector):
    """Families that are known already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def register(app: APIFlask, folder: Path | None) -> None:
    """Lets requests be counted: by the rule that they match, never by what a caller made up."""
    counted = _Counted(CollectorRegistry(), folder)
    app.extensions["pushback-metrics"] = counted
    PrometheusMetrics(
        app,
        path=None,
        defaults_prefix=metrics.PREFIX,
        group_by=url_rule,
        buckets=metrics.REQUEST_SECONDS,
        registry=counted.registry,
    )
    app.after_request(_name_the_method)  # runs before the exporter's own, which was registered before it


def url_rule(asked: Request) -> str:
    """The rule that a request matches, or `other`."""
    return OTHER if asked.url_rule is None else asked.url_rule.rule


def _name_the_method(response: Response) -> Response:
    """The exporter's label is the request's method, and callers may make up any number of methods."""
    if request.method not in METHODS:
        request.method = OTHER
    return response


@bp.get("/metrics")
@bp.auth_required(auth, roles=METRICS)
@bp.doc(responses=TEXT)
def listing() -> Response:
    """What Prometheus reads

    The figures of all worker processes, and what stands in the database at this moment, in Prometheus's text format.
    """
    here = context.get()
    counted: _Counted = current_app.extensions["pushback-metrics"]
    version: str = current_app.version  # type: ignore[attr-defined]
    build = scraped.family(metrics.BUILD, [((version, here.settings.mode, migrate.HEAD), 1)])
    free = scraped.family(metrics.DISK_FREE, [((), Blobs(here.settings.blobs).free_bytes())])
    with here.engine.connect() as connection:
        stored = list(scraped.families(connection, here.now()))
    together = _Families([build, free, *stored, *counted.families()])
    return Response(generate_latest(together), content_type=CONTENT_TYPE_PLAIN_0_0_4)
