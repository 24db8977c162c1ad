"""Intervals for the difference of two policies, on made-up answers."""

import numpy as np
import numpy.typing as npt
import pytest

from backend.model import differences

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def questions(days: int, a_day: int = 200, seed: int = 0) -> tuple[Ints, Ints, Floats]:
    """The day, the outcome and the true risk of each question; all of a day share its weather."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), a_day)
    weather = rng.normal(0, 0.7, days)[day]
    risk = 1 / (1 + np.exp(-(weather - 1.2 + rng.normal(0, 0.8, len(day)))))
    return day, (rng.random(len(day)) < risk).astype(np.int64), risk


def test_each_resample_has_as_many_days_as_there_are_in_blocks_of_neighbours() -> None:
    how = differences.resampled(np.arange(70), np.random.default_rng(0), 50)
    assert how is not None and how.drawn.shape == (50, 70)
    assert (how.drawn.sum(axis=1) == 70).all()
    # The next day is drawn as often as this one, but where a block begins or ends.
    changes = (np.diff(how.drawn, axis=1) != 0).sum(axis=1)
    assert changes.max() <= 2 * 70 / differences.BLOCK_DAYS


def test_each_day_is_drawn_as_often_as_another() -> None:
    how = differences.resampled(np.arange(40), np.random.default_rng(0), 4000)
    assert how is not None
    np.testing.assert_allclose(how.drawn.mean(axis=0), 1, atol=0.1)


def test_a_short_time_has_no_interval() -> None:
    days = differences.FEWEST_BLOCKS * differences.BLOCK_DAYS
    assert differences.resampled(np.arange(days - 1), np.random.default_rng(0)) is None
    assert differences.resampled(np.arange(days), np.random.default_rng(0)) is not None
    assert differences.difference(0.75, 0.5, None, None) == {"difference": 0.25, "low": None, "high": None}


def test_the_same_answers_do_not_differ_at_all() -> None:
    day, truth, risk = questions(60)
    how = differences.resampled(day, np.random.default_rng(0), 50)
    assert how is not None
    same = differences.aucs(how, truth, risk)
    assert differences.difference(0.8, 0.8, same, same) == {"difference": 0, "low": 0, "high": 0}


@pytest.mark.parametrize("figure", ["aucs", "briers"])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(figure: str) -> None:
    """Two equal models with noise of their own, whose errors of a day go together: the true difference is 0."""
    held, tries = 0, 60
    for seed in range(tries):
        day, truth, risk = questions(90, 40, seed)
        rng = np.random.default_rng(1000 + seed)
        noisy = [
            np.clip(risk + rng.normal(0, 0.08, 90)[day] + rng.normal(0, 0.05, len(risk)), 0.01, 0.99) for _ in "ab"
        ]
        how = differences.resampled(day, rng, 200)
        assert how is not None
        found = differences.difference(0.0, 0.0, *(getattr(differences, figure)(how, truth, one) for one in noisy))
        assert found["low"] is not None and found["high"] is not None
        held += found["low"] <= 0 <= found["high"]
    assert 0.82 * tries <= held, f"{held} of {tries}"


def test_a_worse_model_is_told_apart() -> None:
    day, truth, risk = questions(60)
    worse = np.clip(risk + np.random.default_rng(1).normal(0, 0.15, len(risk)), 0.01, 0.99)
    how = differences.resampled(day, np.random.default_rng(2), 200)
    assert how is not None
    mine, other = (differences.figures(truth, one) for one in (worse, risk))
    brier = differences.difference(
        mine["brier"], other["brier"], differences.briers(how, truth, worse), differences.briers(how, truth, risk)
    )
    assert brier["low"] is not None and 0 < brier["low"] < brier["difference"] < (brier["high"] or 0)
