"""What `POST /predict?explain=true` adds to a prediction: what raised and what lowered its risk, and by how much."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend.api import schemas
from backend.api.errors import Problem
from backend.model.explain import Explanation

# Exact contributions take about 5 ms a flight and core: so many take half a second.
MOST_EXPLAINED = 100


class Options(schemas.Query):
    """What a prediction is answered with."""

    explain: bool = Field(
        default=False, description=f"add why each risk is what it is; for at most {MOST_EXPLAINED} flights at once"
    )


EXAMPLE: dict[str, Any] = {
    "sentence": "A risk of 20%, raised most by the weather and delays around the destination, and lowered most by the "
    "traffic at the airport and the record of flights like this one.",
    "base_log_odds": -1.094,
    "base_probability": 0.251,
    "log_odds": -1.365,
    "groups": [
        {"group": "the weather", "contribution": 0.56},
        {"group": "delays around the destination", "contribution": 0.538},
        {"group": "the traffic at the airport", "contribution": -0.531},
        {"group": "the record of flights like this one", "contribution": -0.522},
        {"group": "the time and the route", "contribution": -0.388},
        {"group": "the carrier's day", "contribution": 0.208},
        {"group": "delays at the airport", "contribution": -0.136},
    ],
    "features": [
        {"name": "region_enroute_delay_6h", "value": 11.7, "contribution": 0.274},
        {"name": "number_disrupted_28d", "value": -0.13, "contribution": -0.238},
        {"name": "departure_minute", "value": 315.0, "contribution": -0.194},
    ],
}


class GroupReason(BaseModel):
    """Everything that is known about one matter."""

    group: str = Field(examples=["the weather"])
    contribution: float = Field(description="in log-odds: positive raises the risk, negative lowers it")


class FeatureReason(BaseModel):
    """One value that the model looked at."""

    name: str = Field(examples=["origin_overdue"])
    value: float | str | None = Field(description="null where nothing was known")
    contribution: float = Field(description="in log-odds; part of its group's")


class Reasons(BaseModel):
    """Why a probability is what it is: exact and additive (TreeSHAP).

    `base_log_odds` and the contributions of all `groups` sum to `log_odds`, the log-odds of `probability`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    sentence: str = Field(description="the strongest groups in words")
    base_log_odds: float = Field(description="the model's mean over what it learned from")
    base_probability: float = Field(ge=0, le=1, description="the same as a probability")
    log_odds: float = Field(description="of `probability`: ln(p / (1 - p))")
    groups: list[GroupReason] = Field(description="largest first")
    features: list[FeatureReason] = Field(description="the strongest, largest first")


def check(explain: bool, flights: int) -> None:
    """Raises Problem 422 where reasons are asked for more flights than can be explained at once."""
    if explain and flights > MOST_EXPLAINED:
        reason = f"has {flights} flights: with explain=true send at most {MOST_EXPLAINED}"
        errors = [{"pointer": "/flights", "reason": reason, "accepted": MOST_EXPLAINED}]
        raise Problem(422, "Too many flights to explain", f"/flights {reason}.", errors)


def as_json(said: Explanation | str | None) -> dict[str, Any]:
    """The two fields of a prediction: its reasons, or why there are none. None: nobody asked."""
    if not isinstance(said, Explanation):
        return {"explanation": None, "explanation_missing": said}
    explanation = {
        "sentence": said.sentence,
        "base_log_odds": said.base,
        "base_probability": said.base_probability,
        "log_odds": said.log_odds,
        "groups": [{"group": group, "contribution": total} for group, total in said.groups.items()],
        "features": [feature._asdict() for feature in said.features],
    }
    return {"explanation": explanation, "explanation_missing": None}
