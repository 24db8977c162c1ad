"""Calibration: how far the trees are trusted at each lead time, learned from flights that they have not seen."""

import numpy as np
import numpy.typing as npt
import pytest

from backend.model import train
from backend.model.scoring import Calibration, log_odds, sigmoid

Floats = npt.NDArray[np.float64]
USUAL = 0.25


def asked(trust: Floats, lead: Floats, seed: int = 0) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Log-odds that the trees say, and outcomes for which only `trust` of their distance from the usual is right."""
    rng = np.random.default_rng(seed)
    pivot = float(log_odds(np.array([USUAL]))[0])
    apart = rng.normal(0, 1.2, len(lead))
    truth = rng.random(len(lead)) < sigmoid(pivot + trust * apart)
    return pivot + apart, truth.astype(np.int64)


def test_trees_that_say_too_much_a_day_before_are_believed_less_the_earlier_they_are_asked() -> None:
    lead = np.tile([0.0, 0.25, 1.0], 20_000)
    raw, truth = asked(1.0 - 0.4 * lead, lead)
    found = train.fit_calibration(raw, lead, truth, USUAL)
    assert found.scale(np.array([0.0, 0.25, 1.0])) == pytest.approx([1.0, 0.9, 0.6], abs=0.05)


def test_what_is_usual_stays_usual_at_every_lead_time() -> None:
    lead = np.tile([0.0, 0.25, 1.0], 2_000)
    raw, truth = asked(0.8 - 0.3 * lead, lead)
    found = train.fit_calibration(raw, lead, truth, USUAL)
    usual = np.full(3, log_odds(np.array([USUAL]))[0])
    assert sigmoid(found.apply(usual, np.array([0.0, 0.5, 1.0]))) == pytest.approx([USUAL] * 3)


def test_a_month_with_more_disruptions_than_usual_does_not_raise_every_risk_of_the_next() -> None:
    lead = np.tile([0.0, 1.0], 20_000)
    raw, truth = asked(np.ones(len(lead)), lead)
    stormy = np.where(np.random.default_rng(1).random(len(truth)) < 0.1, 1, truth)
    found = train.fit_calibration(raw, lead, stormy, USUAL)
    usual = log_odds(np.array([USUAL]))
    assert sigmoid(found.apply(usual, np.array([0.5])))[0] == pytest.approx(USUAL)


def test_nonsense_in_a_small_window_turns_no_risk_round() -> None:
    lead = np.tile([0.0, 1.0], 20)
    raw, truth = asked(np.full(len(lead), -3.0), lead)
    found = train.fit_calibration(raw, lead, truth, USUAL)
    assert found.scale(np.array([0.0, 1.0])).min() >= train.SLOPES[0]
    assert Calibration(0.5).apply(np.array([2.0]), np.array([0.0])) == 1.0
