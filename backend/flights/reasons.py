"""What features are about, in words that a planner would use: reasons are summed into these groups."""

import re
from collections.abc import Mapping
from functools import cache

from backend.flights import features

# The first pattern that a column's name matches from its beginning says what it is about.
ABOUT: tuple[tuple[str, str], ...] = (
    ("the weather", "weather_"),
    (
        "the time and the route",
        "(carrier|origin|dest|weekday|distance_miles)$|lead_|departure_minute|arrival_minute|block_",
    ),
    ("the traffic at the airport", "origin_(carrier_)?demand_|origin_due_|origin_throughput_"),
    ("the record of flights like this one", "number_|.*_28d$"),
    ("delays around the destination", "(to_)?(dest|region)_"),
    ("the carrier's day", "(origin_)?carrier_"),
    ("delays at the airport", "origin_|all_|usual_delay_|delay_"),
)
GROUPS = tuple(group for group, _ in ABOUT)

MENTIONED_FROM = 0.1  # log-odds: what moves a risk of 25 % by less than two points is not worth a word


def about(name: str) -> str:
    """The group that a feature belongs to. Raises KeyError for a name that none knows."""
    for group, pattern in ABOUT:
        if re.match(pattern, name):
            return group
    raise KeyError(f"no group of reasons knows the feature {name}")


@cache
def positions() -> Mapping[str, tuple[int, ...]]:
    """For each group, the positions of its features in a row of `features.build`."""
    groups = [about(name) for name in features.names()]
    return {group: tuple(place for place, said in enumerate(groups) if said == group) for group in GROUPS}


def sentence(probability: float, contributions: Mapping[str, float]) -> str:
    """The two groups that raise a risk most and the two that lower it most; `contributions` in log-odds by group."""
    ranked = sorted(contributions, key=lambda group: -abs(contributions[group]))
    raising = [group for group in ranked if contributions[group] >= MENTIONED_FROM]
    lowering = [group for group in ranked if contributions[group] <= -MENTIONED_FROM]
    parts = [
        f"{verb} most by {' and '.join(groups[:2])}"
        for verb, groups in (("raised", raising), ("lowered", lowering))
        if groups
    ]
    if not parts:
        return f"A risk of {_percent(probability)}: nothing that is known sets this flight apart."
    return f"A risk of {_percent(probability)}, {', and '.join(parts)}."


def _percent(probability: float) -> str:
    """In whole percent, which says 0 or 100 of nothing that is not certain."""
    if probability < 0.005:
        return "less than 1%"
    return "more than 99%" if probability >= 0.995 else f"{probability:.0%}"
