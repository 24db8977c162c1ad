"""The objectives of docs/objectives.md that can be checked at any time, beside what the champion does now."""

from dataclasses import dataclass

from ui import words
from ui.answers import Champion

AUC_TARGET = 0.78
BRIER_TARGET = 0.150
CALIBRATION_TARGET = 0.03
AGE_TARGET_DAYS = 31
LEAD_HOURS = 2


@dataclass(frozen=True)
class Promise:
    """One objective: what was promised, what is so now, and whether that keeps it (None: cannot be said)."""

    objective: str
    target: str
    now: str
    kept: bool | None


def promises(champion: Champion, clock: str) -> list[Promise]:
    """The objectives against the champion's figures on its test window, and its data's age at the data clock."""
    metrics, schedule = champion["metrics"], champion["baseline"]
    at_lead = next((row for row in champion["by_lead"] if row["lead_hours"] == LEAD_HOURS), None)
    ahead = f"{LEAD_HOURS}{words.NBSP}h before departure"
    age_days = (words.moment(clock) - words.moment(champion["data_until"])).total_seconds() / 86400
    return [
        Promise(
            "Better than the schedule alone",
            "higher AUC and lower Brier score",
            f"AUC {words.signed(metrics['auc'] - schedule['auc'])}, "
            f"Brier score {words.signed(metrics['brier'] - schedule['brier'])}",
            metrics["auc"] > schedule["auc"] and metrics["brier"] < schedule["brier"],
        ),
        Promise(
            f"Ranks risky flights first, {ahead}",
            f"AUC {words.fraction(AUC_TARGET)} or higher",
            words.fraction(at_lead["auc"]) if at_lead else "not measured",
            at_lead["auc"] >= AUC_TARGET if at_lead else None,
        ),
        Promise(
            f"Near to what happens, {ahead}",
            f"Brier score {words.fraction(BRIER_TARGET)} or lower",
            words.fraction(at_lead["brier"]) if at_lead else "not measured",
            at_lead["brier"] <= BRIER_TARGET if at_lead else None,
        ),
        Promise(
            "30 % means 30 %",
            f"calibration error {words.percent(CALIBRATION_TARGET)} or lower",
            words.percent(metrics["calibration_error"], 1),
            metrics["calibration_error"] <= CALIBRATION_TARGET,
        ),
        Promise(
            "Kept fresh",
            "the champion's data is at most a month old",
            words.count(round(age_days), "day", "days"),
            age_days <= AGE_TARGET_DAYS,
        ),
    ]
