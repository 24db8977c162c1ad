"""Alerts as Alertmanager and Grafana post them. Pure: nothing is fetched."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LONGEST = 200  # characters of a name that are kept


class Alert(NamedTuple):
    """One alert. `fingerprint` names it among its kind, `since` is when it began as the sender wrote it."""

    name: str
    firing: bool
    fingerprint: str
    since: str


def read(alerts: Sequence[Mapping[str, Any]]) -> list[Alert]:
    """The alerts in the field of that name in the payload of Alertmanager (version 4) and of Grafana, who are alike.

    Raises ValueError, in words, for anything else.
    """
    return [_alert(place, alert) for place, alert in enumerate(alerts)]


def _alert(place: int, alert: Mapping[str, Any]) -> Alert:
    labels = alert.get("labels")
    if not isinstance(labels, dict) or not isinstance(labels.get("alertname"), str):
        raise ValueError(f"alerts/{place}/labels/alertname is missing")
    if alert.get("status") not in ("firing", "resolved"):
        raise ValueError(f"alerts/{place}/status is neither firing nor resolved")
    labelled = "|".join(f"{key}={labels[key]}" for key in sorted(labels))
    fingerprint = str(alert.get("fingerprint") or hashlib.sha256(labelled.encode()).hexdigest()[:16])
    since = str(alert.get("startsAt") or "")
    return Alert(labels["alertname"][:LONGEST], alert["status"] == "firing", fingerprint[:LONGEST], since[:LONGEST])


def key(firing: Sequence[Alert]) -> str:
    """The same for the same alerts, however often they are posted: until one of them ends and begins again."""
    said = sorted({f"{alert.name}|{alert.fingerprint}|{alert.since}" for alert in firing})
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]
