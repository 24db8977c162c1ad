"""What is predicted: whether a flight is disrupted, and when that is final."""

from backend.clock import HOUR

LATE_MINUTES = 15
FINAL_AFTER = 36 * HOUR

ARRIVED, CANCELLED, DIVERTED = 0, 1, 2
OUTCOMES = {"arrived": ARRIVED, "cancelled": CANCELLED, "diverted": DIVERTED}


def disrupted(kind: str, arrival_delay_minutes: int | None) -> bool:
    """True for a flight that was cancelled, diverted, or arrived 15 minutes late or more.

    The 15 minutes are the U.S. Department of Transportation's definition of a late arrival (14 CFR 234.2).
    """
    if kind != "arrived":
        return True
    if arrival_delay_minutes is None:
        raise ValueError("a flight that arrived has an arrival delay")
    return arrival_delay_minutes >= LATE_MINUTES
