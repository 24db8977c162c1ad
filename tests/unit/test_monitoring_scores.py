"""Scores, costs and expected scores of probabilities."""

import numpy as np
import pytest

from backend.model import evaluate
from backend.monitoring import expected, scores
from backend.options import Costs


def calibrated(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = np.round(rng.beta(1, 3, count), 3)
    return (rng.random(count) < probability).astype(np.int64), probability


def test_scores_are_those_that_a_training_reports() -> None:
    truth, probability = calibrated(3000, 1)
    found = scores.scores(truth, probability)
    assert found == pytest.approx(evaluate.metrics(truth, probability) | {"base_rate": truth.mean()}, abs=1e-12)


def test_where_all_ended_alike_there_is_no_auc() -> None:
    found = scores.scores(np.zeros(3, np.int64), np.array([0.1, 0.0, 1.0]))
    assert found["auc"] is None and found["log_loss"] is not None and found["log_loss"] > 10


def test_what_is_expected_of_calibrated_probabilities_comes() -> None:
    truth, probability = calibrated(200_000, 2)
    came, should = scores.scores(truth, probability), expected.figures(probability)
    assert should["auc"] == pytest.approx(came["auc"], abs=0.004)
    assert should["brier"] == pytest.approx(came["brier"], abs=0.002)


def test_nothing_can_be_expected_of_one_sure_answer() -> None:
    assert expected.figures(np.array([1.0])) == {"auc": None, "brier": 0.0}


def test_costs_count_missed_flights_and_alarms_in_vain() -> None:
    truth, probability = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.1, 0.2, 0.19, 0.0])
    found = scores.cost(truth, probability, Costs(false_alarm=1, miss=4))
    assert found["threshold"] == 0.2
    assert found["per_1000"] == pytest.approx(1000 * (1 * 4 + 1 * 1) / 5)
    assert (found["never_acting"], found["always_acting"]) == pytest.approx((1600, 600))


def test_acting_on_calibrated_risks_costs_less_than_always_or_never() -> None:
    found = scores.cost(*calibrated(20_000, 3), Costs())
    assert found["per_1000"] < min(found["never_acting"], found["always_acting"])
