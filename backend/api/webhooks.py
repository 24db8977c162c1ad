"""POST /webhooks/alerts: an alert may queue one training; what was decided, and why, is in the ledger."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from backend import options
from backend.api import context
from backend.api.auth import ALERTS, auth, current_account
from backend.api.errors import Problem
from backend.monitoring import alerting
from backend.monitoring.alerting import Alert, Past
from backend.options import Retraining
from backend.store import deployments, jobs, ledger, sql
from backend.store import events as log

bp = APIBlueprint("webhooks", __name__, tag="Monitoring", url_prefix="/webhooks")

MOST_ALERTS = 1000
EXAMPLE = {
    "status": "firing",
    "labels": {"alertname": "ModelQualityDown", "severity": "page"},
    "startsAt": "2013-05-02T04:00:00Z",
    "fingerprint": "9c1f0e3b7a5d2468",
}
REMEMBERED = 100  # of the latest alerts that are looked through for the same one


class Notification(BaseModel):
    """What Alertmanager (webhook, version 4) or Grafana posts. Fields that are not named here are not looked at."""

    model_config = ConfigDict(extra="allow")

    alerts: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_ALERTS, examples=[[EXAMPLE]])


class Heard(BaseModel):
    """What was made of a notification."""

    queued: bool
    job: str | None = Field(description="the training that was queued")
    reason: str
    decision: str = Field(description="its id in GET /decisions")


@bp.post("/alerts")
@bp.auth_required(auth, roles=ALERTS)
@bp.input(Notification, arg_name="notification")
@bp.output(Heard)
def alerts(notification: Notification) -> dict[str, Any]:
    """Hear an alert

    Understands what Alertmanager (webhook, version 4) and Grafana's unified alerting post. Firing alerts queue one
    training, unless one was made or started not long ago (settings `retraining`); the promotion gate decides what
    becomes of it. The same alerts posted again queue nothing. Nothing that a payload names is fetched.
    """
    try:
        heard = alerting.read(notification.alerts)
    except ValueError as error:
        raise Problem(422, "Not an alert", f"{error}.") from error
    here, who = context.get(), current_account().username
    with sql.writing(here.engine) as connection:
        return _decide(connection, heard, who, options.of(here.documents, Retraining), here.now())


def _decide(connection: Connection, heard: list[Alert], who: str, how: Retraining, now: int) -> dict[str, Any]:
    deployments.lock(connection)  # two notifications at once start one training
    data_at = log.data_clock(connection)
    firing = [alert for alert in heard if alert.firing]
    same = alerting.key(firing)
    why_not = alerting.objection(firing, _past(connection, same), data_at or 0, how)
    job = None if why_not else jobs.add(connection, "training", {"until": None}, who, now, "training None")
    names = ", ".join(sorted({alert.name for alert in heard}))
    summary = f"Alerts {names}: " + (f"a training is queued as job {job['id']}." if job else f"no training: {why_not}.")
    evidence = {"alerts": [alert._asdict() for alert in heard], "key": same, "job": job["id"] if job else None}
    decision = ledger.decide(connection, "alerted", now, data_at, who, summary, evidence)
    said = why_not or "a training is queued"
    return {"queued": job is not None, "job": evidence["job"], "reason": said, "decision": str(decision)}


def _past(connection: Connection, same: str) -> Past:
    trained = ledger.decisions(connection, "trained", 1)
    heard = ledger.decisions(connection, "alerted", REMEMBERED)
    started = [row for row in heard if row.evidence["job"] is not None]
    return Past(
        trained_at=trained[0].data_at if trained else None,
        started_at=[row.data_at or 0 for row in started],
        same=next((row.evidence["job"] for row in started if row.evidence["key"] == same), None),
    )
