"""The small picture of the model's life cycle, each stage with its live state."""

from dataclasses import dataclass
from html import escape
from typing import Literal

import streamlit as st

from ui import words
from ui.answers import Job, Ready, Status


@dataclass(frozen=True)
class Stage:
    """One stage: `state` is "on" (works), "busy" (works right now), "waiting" (nothing there yet) or "failed"."""

    name: str
    value: str
    note: str
    state: Literal["on", "busy", "waiting", "failed"]


def stages(status: Status, ready: Ready, job: Job | None) -> list[Stage]:
    """The five stages from facts to answers; `job` is the newest training that this person may see."""
    facts, champion = status["facts"], status["champion"]
    return [
        Stage(
            "Facts",
            words.count(facts["events"], "event", "events"),
            f"{facts['flights']:,} flights, {facts['weather_hours']:,} hours of weather",
            "on" if facts["events"] else "waiting",
        ),
        Stage(
            "Features",
            f"list {champion['feature_list']}" if champion else "none used yet",
            "only what was known at the moment of asking",
            "on" if champion else "waiting",
        ),
        _training(status, job),
        Stage(
            "Champion",
            f"version {champion['version']}" if champion else "none",
            f"since {words.both_clocks(champion['since'])}" if champion else "the first training makes one",
            "on" if champion else "waiting",
        ),
        Stage(
            "Answers",
            "ready" if not ready["missing"] else "not ready",
            ready["missing"][0] if ready["missing"] else "a probability for every flight of the next 24 h",
            "failed" if ready["missing"] else "on",
        ),
    ]


def _training(status: Status, job: Job | None) -> Stage:
    if job and job["state"] == "running":
        return Stage("Training", words.percent(job["progress"]), job["message"] or "running", "busy")
    if job and job["state"] == "failed":
        return Stage("Training", "failed", job["error"] or "the Models page has the reason", "failed")
    if status["jobs"].get("running") or status["jobs"].get("queued"):
        running, queued = status["jobs"].get("running", 0), status["jobs"].get("queued", 0)
        return Stage("Training", f"{running} running", f"{queued} waiting for the worker", "busy")
    champion = status["champion"]
    if champion is None:
        return Stage("Training", "idle", "nothing has been trained yet", "waiting")
    return Stage("Training", "idle", f"the champion took {champion['duration_seconds']:.0f} s", "on")


def picture(items: list[Stage]) -> None:
    """Draws the stages from left to right (on a telephone: downwards), and the way back from answers to facts."""
    nodes = "".join(
        f'<li class="pb-{stage.state}"><span class="pb-stage">{escape(stage.name)}</span>'
        f"<strong>{escape(stage.value)}</strong><small>{escape(stage.note)}</small></li>"
        for stage in items
    )
    back = '<div class="pb-back"><span>what became of each flight is recorded as a fact</span></div>'
    st.html(f'<div class="pb-cycle"><ol>{nodes}</ol>{back}</div>')
