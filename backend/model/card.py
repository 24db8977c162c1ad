"""The model card of one version, made from its metadata: what it learned from, how good it was, and its limits."""

from collections.abc import Sequence
from typing import Any

LIMITS = """It knows the airports and the weather of its training data, at the origin only, and no forecast. It does not
use the aircraft that flew, which is known at the departure at the earliest. A cancellation counts as known at the
scheduled departure unless the source says when. Figures of a slice are of one window and one season: look at the
intervals. The card of the family, with what was tried and how sensitive it is to these rules, is docs/model-card.md."""

TITLES = {
    "lead_hours": "By hours before departure",
    "origin": "By origin",
    "carrier": "By carrier",
    "month": "By month",
}


def markdown(said: dict[str, Any]) -> str:
    """The card as Markdown, from a version's metadata (see jobs/training.py)."""
    window = said["evaluated_on"]
    parts = [
        "# Model card",
        f"Trained at {said['trained_at']} on {said['flights']:,} flights that departed from {said['data_from']} to "
        f"{said['fitted_until']}, {said['base_rate']:.1%} of them disrupted, by what was known at "
        f"{said['data_until']}. Figures are of the {window['flights']:,} flights from {window['from']} to "
        f"{window['until']}, which no figure's model had learned from.",
        _made_with(said),
        _whole(said),
        *(_slices(title, [row for row in said["slices"] if row["by"] == by]) for by, title in TITLES.items()),
        _calibration(said["calibration"]),
        f"## Limits\n{LIMITS}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made_with(said: dict[str, Any]) -> str:
    made = {
        "code": said["commit"],
        "features": f"list {said['feature_list']}",
        "data": f"{said['snapshot_flights']:,} flights, SHA-256 {said['data_digest']}, facts up to seq {said['seq']}",
        "seed": said["seed"],
        "parameters": ", ".join(f"{name} {value}" for name, value in said["parameters"].items()),
        "libraries": ", ".join(f"{name} {version}" for name, version in said["libraries"].items()),
    }
    return "## What it was made from\n" + _table(("what", "which"), [(name, str(what)) for name, what in made.items()])


def _whole(said: dict[str, Any]) -> str:
    rows = [
        (who, _number(one["auc"]), f"{one['brier']:.4f}", f"{one['log_loss']:.4f}", f"{one['calibration_error']:.4f}")
        for who, one in (("this version", said["metrics"]), ("schedule alone", said["baseline"]))
    ]
    heading = f"## {said['evaluated_on']['lead_hours']:g} hours before departure\n"
    return heading + _table(("", "ROC AUC", "Brier", "log loss", "calibration error"), rows)


def _slices(title: str, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    cells = [
        (
            row["value"],
            f"{row['flights']:,}",
            f"{row['base_rate']:.1%}",
            f"{_number(row['auc'])}{_between(row['auc_interval'])}",
            f"{row['brier']:.4f}{_between(row['brier_interval'])}",
            f"{row['calibration_error']:.4f}",
        )
        for row in rows
    ]
    header = ("", "flights", "disrupted", "ROC AUC (95 %)", "Brier (95 %)", "calibration error")
    return f"## {title}\n" + _table(header, cells)


def _calibration(bins: list[dict[str, Any]]) -> str:
    rows = [(f"{one['predicted']:.3f}", f"{one['observed']:.3f}", f"{one['flights']:,}") for one in bins]
    return "## Calibration, in ten equal groups\n" + _table(("predicted", "observed", "flights"), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _between(interval: list[float] | tuple[float, float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:.4f} to {interval[1]:.4f})"
