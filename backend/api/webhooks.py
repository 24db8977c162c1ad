"""POST /webhooks/alerts: an alert may queue one training; what was decided, and why, is in the ledger."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from backend import options
from backend.api import context
from backend.api.auth import ALERTS, auth, current_account
from backend.api.errors import Problem
from backend.monitoring import alerting, retraining
from backend.monitoring.retraining import Request
from backend.options import Retraining
from backend.store import sql

bp = APIBlueprint("webhooks", __name__, tag="Monitoring", url_prefix="/webhooks")

MOST_ALERTS = 1000
EXAMPLE = {
    "status": "firing",
    "labels": {"alertname": "ModelQualityDown", "severity": "page"},
    "startsAt": "2013-05-02T04:00:00Z",
    "fingerprint": "9c1f0e3b7a5d2468",
}


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
    firing = [alert for alert in heard if alert.firing]
    names = ", ".join(sorted({alert.name for alert in heard}))
    asked = Request(
        cause=retraining.ALERT,
        actor=current_account().username,
        why=f"alerts {names}",
        key=alerting.key(firing),
        objection=None if firing else "no alert is firing",
        evidence={"alerts": [alert._asdict() for alert in heard]},
    )
    here = context.get()
    with sql.writing(here.engine) as connection:
        said = retraining.request(connection, asked, options.of(here.documents, Retraining), here.now())
    return {"queued": said.queued, "job": said.job, "reason": said.reason, "decision": str(said.decision)}
