"""The pieces that pages are built from, as HTML that the theme's style sheet knows; every text is escaped here."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import streamlit as st

from ui.client import ApiError

STYLE = Path(__file__).parent / "theme.css"


@dataclass(frozen=True)
class Figure:
    """One number with what it measures, its window, and whether it is a bad sign."""

    label: str
    value: str
    note: str
    alarming: bool = False


def style() -> None:
    """Loads the style sheet; once on every run."""
    st.html(STYLE)


def question(text: str, when: str = "") -> None:
    """The question that the page answers, and when its answer was true."""
    stamp = f'<p class="pb-when">{escape(when)}</p>' if when else ""
    st.html(f'<header class="pb-question">{stamp}<h1>{escape(text)}</h1></header>')


def answer(value: str, sentence: str, note: str, alarming: bool = False, badge: str = "") -> None:
    """The figure that answers the page's question, the same in a sentence, and the window it was measured on."""
    tone = " pb-alarming" if alarming else ""
    tag = f'<span class="pb-band">{escape(badge)}</span>' if badge else ""
    st.html(
        f'<section class="pb-answer{tone}"><div class="pb-figure">{escape(value)}</div><div class="pb-said">{tag}'
        f'<p class="pb-sentence">{escape(sentence)}</p><p class="pb-note">{escape(note)}</p></div></section>'
    )


def figures(items: Sequence[Figure]) -> None:
    """A row of figures, which becomes two columns on a telephone."""
    cards = "".join(
        f'<div class="pb-card{" pb-alarming" if item.alarming else ""}"><dt>{escape(item.label)}</dt>'
        f"<dd>{escape(item.value)}</dd><p>{escape(item.note)}</p></div>"
        for item in items
    )
    st.html(f'<dl class="pb-cards">{cards}</dl>')


def heading(title: str, note: str = "") -> None:
    """The title of a section, and one sentence on how to read it."""
    st.html(f'<div class="pb-heading"><h2>{escape(title)}</h2>{f"<p>{escape(note)}</p>" if note else ""}</div>')


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> None:
    """A table of text; the columns at the `numeric` positions are set right. On a telephone each row becomes a card."""
    head = "".join(
        f'<th scope="col"{_right(place, numeric)}>{escape(column)}</th>' for place, column in enumerate(columns)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(columns[place])}"{_right(place, numeric)}>{escape(cell)}</td>'
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    st.html(f'<table class="pb-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')


def _right(place: int, numeric: Sequence[int]) -> str:
    return ' class="pb-right"' if place in numeric else ""


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """A list of names with their values, for lineage and the like."""
    st.html(
        '<dl class="pb-facts">'
        + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
        + "</dl>"
    )


def notice(title: str, sentence: str, advice: str = "", alarming: bool = False) -> None:
    """A designed state: what is so (nothing here yet, or what failed), and what to do now."""
    tone = " pb-alarming" if alarming else ""
    st.html(
        f'<section class="pb-notice{tone}" role="{"alert" if alarming else "status"}"><h2>{escape(title)}</h2>'
        f"<p>{escape(sentence)}</p>{f'<p class=pb-advice>{escape(advice)}</p>' if advice else ''}</section>"
    )


def failed(error: ApiError) -> None:
    """What went wrong with a call of the API, and what the person can do."""
    advice = {
        None: "Start it with make up, or wait a moment and reload this page.",
        403: "Ask an administrator for a role that may do this.",
        404: "Go back and choose another one.",
        429: "Wait a moment before you try again.",
    }.get(error.status, "Try again in a moment." if (error.status or 0) >= 500 else "")
    notice(error.title, error.sentence, advice, alarming=True)
