"""Alerts as Alertmanager and Grafana post them, and whether they may start a training. Pure: nothing is fetched."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backend.clock import DAY, iso
from backend.options import Retraining

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


class Past(NamedTuple):
    """What was done before, by the data clock: when a training ended last, when alerts started the latest ones, and
    the job that the same alerts started already."""

    trained_at: int | None
    started_at: Sequence[int]
    same: str | None


def objection(firing: Sequence[Alert], past: Past, now: int, options: Retraining) -> str | None:
    """Why these alerts start no training, or None where they may. `now` is the data clock."""
    if not firing:
        return "no alert is firing"
    if past.same is not None:
        return f"the same alerts have started job {past.same} already"
    if options.most_a_day == 0:
        return "the settings let alerts start no training"
    wait = int(options.cooldown_days * DAY)
    newest = max([*past.started_at, *([] if past.trained_at is None else [past.trained_at])], default=None)
    if newest is not None and now < newest + wait:
        return f"the newest training is of {iso(newest)}, and alerts wait {options.cooldown_days:g} days after one"
    today = sum(at > now - DAY for at in past.started_at)
    if today >= options.most_a_day:
        return f"alerts have started {today} in the last day of data, and may start {options.most_a_day}"
    return None
