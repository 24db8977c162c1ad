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


def sentence(probability: float, usual: float, contributions: Mapping[str, float]) -> str:
    """What raises and what lowers a risk against the usual one, strongest first; `contributions` in log-odds by group.

    `usual` is the probability that all contributions start from.
    """
    ranked = sorted(contributions, key=lambda group: -abs(contributions[group]))
    raising = [group for group in ranked if contributions[group] >= MENTIONED_FROM]
    lowering = [group for group in ranked if contributions[group] <= -MENTIONED_FROM]
    opening = f"{probability:.0%}, where {usual:.0%} is usual"
    parts = [
        f"what {verb} it most: {' and '.join(groups[:2])}"
        for verb, groups in (("raises", raising), ("lowers", lowering))
        if groups
    ]
    return f"{opening}; " + ("; ".join(parts) if parts else "nothing known sets this flight apart") + "."
