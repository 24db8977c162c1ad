"""The figures of a version: how good its answers about the newest flights were, whole and by slice, with intervals."""

from typing import Any

import numpy as np
import numpy.typing as npt

from backend import clock
from backend.clock import DAY
from backend.flights.facts import unpack
from backend.model import evaluate, intervals
from backend.model.dataset import World
from backend.model.recipe import Answers
from backend.model.snapshot import HEADLINE_HOURS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]

FEWEST_FLIGHTS = 200  # of a slice that is shown


def figures(here: World, said: Answers, seed: int) -> dict[str, Any]:
    """`metrics` and `baseline` two hours before departure, `by_lead`, `calibration`, `roc`, `slices` and
    `evaluated_on`, as they stand in a version's metadata: all JSON."""
    truth, departures = here.disrupted[said.positions], here.flights.departure[said.positions]
    headline = said.by_lead[HEADLINE_HOURS]
    return {
        "metrics": evaluate.metrics(truth, headline),
        "baseline": evaluate.metrics(truth, said.baseline),
        "by_lead": [{"lead_hours": lead, **evaluate.metrics(truth, asked)} for lead, asked in said.by_lead.items()],
        "calibration": evaluate.calibration(truth, headline),
        "roc": evaluate.roc(truth, headline),
        "slices": slices(here, said, seed),
        "evaluated_on": {
            "from": clock.iso(departures.min()),
            "until": clock.iso(departures.max()),
            "flights": len(truth),
            "lead_hours": HEADLINE_HOURS,
        },
    }


def slices(here: World, said: Answers, seed: int) -> list[dict[str, Any]]:
    """The figures of each lead time, and two hours before departure of each origin, carrier and month: one row each,
    with 95 % intervals; slices of fewer than FEWEST_FLIGHTS flights are noise and left out."""
    truth, day = here.disrupted[said.positions], days(here, said.positions)
    whole = np.ones(len(truth), bool)
    parts = [("lead_hours", f"{lead:g}", whole, asked) for lead, asked in said.by_lead.items()]
    for name, labels in {**groups(here, said.positions), "month": months(here, said.positions)}.items():
        headline = said.by_lead[HEADLINE_HOURS]
        parts += [(name, str(label), labels == label, headline) for label in np.unique(labels)]
    return [
        _slice(name, label, truth[mask], asked[mask], intervals.by_days(day[mask], truth[mask], asked[mask], rng))
        for name, label, mask, asked in parts
        for rng in [np.random.default_rng(seed)]
        if mask.sum() >= FEWEST_FLIGHTS
    ]


def _slice(
    name: str, label: str, truth: Ints, asked: Floats, interval: dict[str, tuple[float, float] | None]
) -> dict[str, Any]:
    found = evaluate.metrics(truth, asked)
    return {
        "by": name,
        "value": label,
        "flights": len(truth),
        "base_rate": float(truth.mean()),
        "auc": found["auc"] if np.isfinite(found["auc"]) else None,
        "auc_interval": interval["auc"],
        "brier": found["brier"],
        "brier_interval": interval["brier"],
        "calibration_error": found["calibration_error"],
    }


def days(here: World, positions: Ints) -> Ints:
    """The local day number at the origin of each flight's scheduled departure: shape (n,)."""
    flights = here.flights.take(positions)
    return here.history.places.local(flights.departure, flights.origin) // DAY


def groups(here: World, positions: Ints) -> dict[str, Labels]:
    """The origin and the carrier of each flight: shape (n,)."""
    flights = here.flights.take(positions)
    return {"origin": _codes(flights.origin), "carrier": _codes(flights.carrier)}


def months(here: World, positions: Ints) -> Labels:
    """The local month (YYYY-MM) of each flight's scheduled departure: shape (n,)."""
    return days(here, positions).astype("datetime64[D]").astype("datetime64[M]").astype(str)


def _codes(packed: Ints) -> Labels:
    codes, inverse = np.unique(packed, return_inverse=True)
    return np.array([unpack(code) for code in codes.tolist()])[inverse]
