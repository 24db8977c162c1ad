"""The app's charts: Altair, with direct labels and tooltips, in the theme's colours for light and for dark."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd
import streamlit as st

from ui import words
from ui.answers import CalibrationBin, LeadMetrics


@dataclass(frozen=True)
class Palette:
    """Colours of marks: the accent, risk, text, quiet marks, and the sheet behind them."""

    accent: str
    risk: str
    ink: str
    quiet: str
    sheet: str


LIGHT = Palette("#0b6b74", "#b3261e", "#1b2426", "#a9b0ae", "#fbfaf7")
DARK = Palette("#4fb9c1", "#f28b82", "#e7ebe9", "#54646a", "#0f1619")


def palette() -> Palette:
    """The colours of the theme that this browser shows."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def _show(chart: alt.LayerChart, description: str) -> None:
    st.altair_chart(chart.properties(description=description).configure_view(strokeWidth=0), width="stretch")


def against_usual(probability: float, base_rate: float, alarming: bool) -> None:
    """Two bars, from 0 to 100 %: this flight's probability, and the base rate."""
    colours = palette()
    rows = pd.DataFrame(
        {
            "what": ["This flight", "Usually"],
            "rate": [probability, base_rate],
            "colour": [colours.risk if alarming else colours.accent, colours.quiet],
            "label": [words.whole_percent(probability), words.percent(base_rate)],
        }
    )
    base = alt.Chart(rows, height=alt.Step(44)).encode(
        y=alt.Y(
            "what:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelFontSize=14, labelPadding=10)
        ),
        x=alt.X("rate:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", values=[0, 0.5, 1], title=None)),
        tooltip=[alt.Tooltip("what:N", title=" "), alt.Tooltip("label:N", title="Disrupted")],
    )
    bars = base.mark_bar(cornerRadiusEnd=4, size=24).encode(color=alt.Color("colour:N", scale=None))
    labels = base.mark_text(align="left", dx=7, fontSize=14, fontWeight=600, color=colours.ink).encode(text="label:N")
    _show(
        (bars + labels).properties(padding={"right": 16}),
        f"This flight {words.percent(probability)}, usually {words.percent(base_rate)}",
    )


def calibration(bins: Sequence[CalibrationBin]) -> None:
    """What was predicted against what happened; on the diagonal the two agree. A point's area is its flights."""
    colours = palette()
    rows = pd.DataFrame(list(bins))
    end = min(1.0, 0.1 + max(rows["predicted"].max(), rows["observed"].max()))
    scale = alt.Scale(domain=[0, end], nice=False)
    line = alt.Chart(pd.DataFrame({"predicted": [0, end], "observed": [0, end]})).mark_line(
        color=colours.quiet, strokeDash=[4, 4], strokeWidth=1.5
    )
    perfect = (
        alt.Chart(pd.DataFrame({"predicted": [end], "observed": [end], "label": ["perfect"]}))
        .mark_text(align="right", dx=-14, dy=4, color=colours.ink, opacity=0.65)
        .encode(text="label:N")
    )
    points = (
        alt.Chart(rows)
        .mark_circle(color=colours.accent, opacity=0.9, stroke=colours.sheet, strokeWidth=1.5)
        .encode(
            size=alt.Size("flights:Q", scale=alt.Scale(range=[50, 380]), legend=None),
            tooltip=[
                alt.Tooltip("predicted:Q", title="Predicted, mean", format=".1%"),
                alt.Tooltip("observed:Q", title="Disrupted in fact", format=".1%"),
                alt.Tooltip("flights:Q", title="Flights", format=","),
            ],
        )
    )
    axes = {
        "x": alt.X(
            "predicted:Q",
            scale=scale,
            title="Predicted probability",
            axis=alt.Axis(format="%", tickCount=5, grid=False),
        ),
        "y": alt.Y("observed:Q", scale=scale, title="Disrupted in fact", axis=alt.Axis(format="%", tickCount=5)),
    }
    track = alt.Chart(rows).mark_line(color=colours.accent, strokeWidth=2, opacity=0.5)
    chart = line.encode(**axes) + perfect.encode(**axes) + track.encode(**axes) + points.encode(**axes)
    chart = chart.properties(height=400)
    _show(chart, "Calibration: predicted probability against the share that was disrupted")


def by_lead(rows: Sequence[LeadMetrics], measure: str, title: str) -> None:
    """One measure ("auc" or "brier") at each lead time, from a day ahead to the departure."""
    colours = palette()
    ordered = sorted(rows, key=lambda row: -row["lead_hours"])
    frame = pd.DataFrame(
        {
            "lead": [words.duration(60 * row["lead_hours"]) for row in ordered],
            "value": [row["auc"] if measure == "auc" else row["brier"] for row in ordered],
        }
    )
    frame["label"] = frame["value"].map(words.fraction)
    base = alt.Chart(frame, height=190).encode(
        x=alt.X("lead:N", sort=None, title="Before departure", axis=alt.Axis(labelAngle=0, ticks=False, domain=False)),
        y=alt.Y("value:Q", scale=alt.Scale(zero=False, padding=24), axis=None),
        tooltip=[alt.Tooltip("lead:N", title="Before departure"), alt.Tooltip("label:N", title=title)],
    )
    line = base.mark_line(color=colours.accent, strokeWidth=2)
    points = base.mark_circle(color=colours.accent, size=70, opacity=1)
    labels = base.mark_text(dy=-15, fontSize=13, fontWeight=600, color=colours.ink).encode(text="label:N")
    _show(line + points + labels, f"{title} by lead time")
