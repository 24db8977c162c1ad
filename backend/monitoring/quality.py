"""Whether the champion does worse than it did when it was trained: one verdict on its own answers."""

from typing import Any, NamedTuple

import numpy as np

from backend.monitoring import performance, scores
from backend.monitoring.answered import HEADLINE, Answered
from backend.monitoring.performance import SPANS

SPAN = SPANS["28d"]
FEWEST_DAYS = 14


class Quality(NamedTuple):
    """`down` is the verdict, None where too little has happened since the champion serves; `numbers` are JSON."""

    down: bool | None
    sentence: str
    numbers: dict[str, Any]


def judge(said: Answered, day: int, trained: dict[str, Any], margin: float, was_down: bool) -> Quality:
    """The verdict on the version that `trained` describes (see backend/model/figures.py), at the end of local day
    `day`, by its own answers two hours before departure in the 28 days before it.

    Down from when the 95 % interval of its Brier score is wholly above that of its training by more than `margin`,
    until the score itself is not: what has gone wrong is not called well again because the days have become fewer.
    """
    version = int(trained["version"])
    mine = (said.version == version) & (said.lead == HEADLINE) & (said.day > day - SPAN) & (said.day <= day)
    rows = said.take(mine & (said.disrupted >= 0))
    days, then = len(np.unique(rows.day)), trained["metrics"]
    numbers: dict[str, Any] = {"version": version, "flights": len(rows), "days": days, "margin": margin}
    numbers |= {"trained_brier": then["brier"], "trained_auc": then["auc"]}
    if days < FEWEST_DAYS:
        why = f"{days} days of its answers have outcomes, and {FEWEST_DAYS} are needed to tell"
        return Quality(None, f"Version {version} is not judged yet: {why}.", numbers)
    numbers |= scores.scores(rows.disrupted, rows.probability) | performance.uncertainty(rows)
    limit, interval = then["brier"] + margin, numbers["brier_interval"]
    down = numbers["brier"] > limit if was_down else interval[0] > limit
    sentence = (
        f"Over {days} days version {version} has a Brier score of {numbers['brier']:.4f} at 2 h (95 %: "
        f"{interval[0]:.4f} to {interval[1]:.4f}), and had {then['brier']:.4f} when it was trained: "
    )
    if down:
        return Quality(True, sentence + f"worse by more than {margin:g}.", numbers)
    return Quality(False, sentence + f"not surely worse by more than {margin:g}.", numbers)
