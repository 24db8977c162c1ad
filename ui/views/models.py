"""Models: how good is the model that answers, where does it come from, and (for operators) a new one."""

import streamlit as st

from ui import blocks, charts, words
from ui.answers import Metrics, Version
from ui.client import Client
from ui.retrain import retraining

MEASURES: tuple[tuple[str, str], ...] = (
    ("AUC", "how well it ranks; 1 is perfect, .5 is guessing"),
    ("Brier score", "mean squared error of the probability; 0 is perfect"),
    ("Log loss", "how surprised it was by what happened; 0 is perfect"),
    ("Calibration error", "mean gap between what it says and what happens"),
)


def values(metrics: Metrics) -> tuple[str, str, str, str]:
    """The figures of MEASURES, in its order, as text."""
    return (
        words.fraction(metrics["auc"]),
        words.fraction(metrics["brier"]),
        words.fraction(metrics["log_loss"]),
        words.fraction(metrics["calibration_error"]),
    )


def show() -> None:
    """The page."""
    client: Client = st.session_state["client"]
    blocks.question("How good is the model that answers?")
    with st.spinner("Asking the API…"):
        versions = client.versions()
    champion = next((version for version in versions if version["role"] == "champion"), None)
    if champion is None:
        blocks.notice(
            "No model answers yet",
            "Nothing has been trained, or nothing that was trained has been put in service.",
            "An operator can train the first version below." if versions == [] else "",
        )
    else:
        _champion(champion)
    retraining(client, champion)
    if versions:
        _versions(versions)


def _champion(champion: Version) -> None:
    tested = champion["evaluated_on"]
    days = words.window(tested["from"], tested["until"])
    where = f"{words.count(tested['flights'], 'flight', 'flights')} of {days}, not seen in training"
    metrics, schedule = champion["metrics"], champion["baseline"]
    gain = 1 - metrics["brier"] / schedule["brier"]
    sentence = (
        f"Version {champion['version']} cuts the squared error of forecasts from the schedule by {words.percent(gain)}."
        if gain > 0
        else f"Version {champion['version']} forecasts no better than the schedule alone."
    )
    blocks.answer(
        words.fraction(metrics["brier"]),
        sentence,
        f"Brier score, where lower is better; the schedule alone has {words.fraction(schedule['brier'])}. {where}. "
        f"Trained {words.both_clocks(champion['trained_at'])}.",
        gain <= 0,
    )
    blocks.heading(
        "Beside the baseline", f"The baseline is a logistic regression on the schedule alone. Both: {where}."
    )
    blocks.table(
        ["Measure", f"Version {champion['version']}", "Schedule alone", "What it says"],
        [
            [name, ours, theirs, meaning]
            for (name, meaning), ours, theirs in zip(MEASURES, values(metrics), values(schedule), strict=True)
        ],
        numeric=(1, 2),
    )
    left, right = st.columns(2, gap="large")
    with left:
        blocks.heading("When it says 30 %, is it 30 %?", f"Each point is a tenth of the flights of {days}.")
        if champion["calibration"]:
            charts.calibration(champion["calibration"])
    with right:
        blocks.heading("How early does it know?", "AUC, then Brier score, by time before the departure.")
        if champion["by_lead"]:
            charts.by_lead(champion["by_lead"], "auc", "AUC")
            charts.by_lead(champion["by_lead"], "brier", "Brier score")
    blocks.heading("Where it comes from", "Enough to make it again, and to see whether the data was the same.")
    blocks.facts(
        [
            ("Data", f"{words.both_clocks(champion['data_from'])} to {words.both_clocks(champion['data_until'])}"),
            ("Learned from", f"{champion['flights']:,} flights, {champion['rows']:,} moments of asking"),
            ("Disrupted among them", words.percent(champion["base_rate"], 1)),
            ("Features", f"list {champion['feature_list']}"),
            ("Data digest", champion["data_digest"]),
            ("Code", champion["commit"] or "not in a git commit"),
            ("Took", f"{champion['duration_seconds']:.0f} s"),
        ]
    )


def _versions(versions: list[Version]) -> None:
    blocks.heading(
        "All versions", "Newest first. Figures are comparable only between versions tested on the same days."
    )
    blocks.table(
        ["Version", "Serves", "Trained", "Tested on", "AUC", "Brier"],
        [
            [
                f"Version {version['version']}",
                version["role"] or "–",
                words.both_clocks(version["trained_at"]),
                words.window(version["evaluated_on"]["from"], version["evaluated_on"]["until"]),
                words.fraction(version["metrics"]["auc"]),
                words.fraction(version["metrics"]["brier"]),
            ]
            for version in versions
        ],
        numeric=(4, 5),
    )
