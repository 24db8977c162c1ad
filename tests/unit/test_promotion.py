"""The gate's three verdicts, on questions that are made up so that the right one is known."""

import json
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from backend.model import promotion
from backend.model.promotion import Verdict

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Asked(NamedTuple):
    """Questions with their true probability, from which their outcome was drawn."""

    day: Ints
    flight: Ints
    truth: Ints
    risk: Floats
    origin: npt.NDArray[np.str_]

    def take(self, places: Ints) -> "Asked":
        return Asked(self.day[places], self.flight[places], self.truth[places], self.risk[places], self.origin[places])


def asked(days: int = 28, a_day: int = 600, seed: int = 0) -> Asked:
    rng = np.random.default_rng(seed)
    count = days * a_day
    risk = rng.beta(1, 3, count)
    truth = (rng.random(count) < risk).astype(np.int64)
    origin = np.array(["EWR", "JFK", "LGA"])[np.arange(count) % 3]
    return Asked(np.arange(count) // a_day, np.arange(count), truth, risk, origin)


def blurred(here: Asked, by: float, seed: int = 1) -> Floats:
    noise = np.random.default_rng(seed).normal(0, by, len(here.risk))
    return np.clip(here.risk + noise, 0.01, 0.99)


def judged(here: Asked, champion: Floats, challenger: Floats) -> Verdict:
    return promotion.judge(here.day, here.flight, here.truth, champion, challenger, {"origin": here.origin})


def test_a_challenger_that_is_better_is_promoted() -> None:
    here = asked()
    found = judged(here, blurred(here, 0.1), here.risk)
    assert found.verdict == "promote"
    low, high = found.numbers["brier_gain_bounds"]
    assert 0 < low < found.numbers["brier_gain"] < high
    assert "28 days" in found.sentence and "lower" in found.sentence


def test_a_challenger_that_is_worse_is_not() -> None:
    here = asked()
    found = judged(here, here.risk, blurred(here, 0.1))
    assert found.verdict == "keep"
    assert "higher" in found.sentence and "The champion is better." in found.sentence


def test_equal_models_are_not_told_apart() -> None:
    here = asked()
    assert judged(here, blurred(here, 0.05, 1), blurred(here, 0.05, 2)).verdict == "not_enough_evidence"
    same = judged(here, here.risk, here.risk)
    assert (same.verdict, same.numbers["brier_gain"]) == ("not_enough_evidence", 0)


@pytest.mark.parametrize("days", [0, 1, 2, 13])
def test_few_days_are_never_enough(days: int) -> None:
    here = asked(days)
    found = judged(here, blurred(here, 0.3), here.risk)
    assert (found.verdict, found.numbers["days"]) == ("not_enough_evidence", days)
    assert found.numbers["brier_gain_bounds"] == [None, None]
    assert str(promotion.FEWEST_DAYS) in found.sentence


def test_a_challenger_that_ranks_worse_is_held_back_however_good_its_brier_score() -> None:
    here = asked()
    badly_calibrated = here.risk**3
    found = judged(here, badly_calibrated, blurred(here, 0.05))
    assert found.verdict == "keep" and "AUC" in found.sentence
    assert found.numbers["brier_gain_bounds"][0] > 0


def test_a_challenger_that_is_worse_for_one_airport_is_held_back_and_the_sentence_names_it() -> None:
    here = asked()
    challenger = here.risk.copy()
    lga = here.origin == "LGA"
    challenger[lga] = here.risk[lga] * 0.6 + 0.2
    champion = blurred(here, 0.16)
    champion[lga] = here.risk[lga]
    found = judged(here, champion, challenger)
    assert found.verdict == "keep"
    assert "origin LGA" in found.sentence
    assert [one["value"] for one in found.numbers["worse_slices"]] == ["LGA"]


def test_a_slice_of_few_flights_holds_nothing_back() -> None:
    here = asked()
    small = here.flight % 34 == 0
    assert small.sum() < promotion.LARGE_SLICE
    origin = np.where(small, "LGA", "JFK")
    challenger = np.where(small, 0.9, here.risk)
    found = promotion.judge(here.day, here.flight, here.truth, blurred(here, 0.15), challenger, {"origin": origin})
    assert found.verdict == "promote"


def test_a_flight_that_is_asked_about_four_times_is_one_flight() -> None:
    here = asked(a_day=10)
    four = here.take(np.tile(here.flight, 4))
    found = judged(four, four.risk, four.risk * 0.5)
    assert (found.numbers["flights"], found.numbers["questions"]) == (280, 1120)
    assert found.numbers["worse_slices"] == []


def test_one_stormy_day_is_one_day_however_many_flights_it_had() -> None:
    here = asked()
    champion = here.risk.copy()
    champion[here.day == 5] = 0.99
    assert judged(here, champion, here.risk).verdict == "not_enough_evidence"


def test_the_order_of_the_questions_does_not_matter() -> None:
    here, champion = asked(), blurred(asked(), 0.1)
    mixed = np.random.default_rng(3).permutation(len(here.day))
    found = judged(here.take(mixed), champion[mixed], here.risk[mixed])
    first = judged(here, champion, here.risk)
    assert found.verdict == first.verdict
    assert found.numbers["brier_gain"] == pytest.approx(first.numbers["brier_gain"])


def test_many_windows_at_once_get_the_bounds_of_each() -> None:
    rng = np.random.default_rng(4)
    saved, questions = rng.normal(0.1, 1, (5, 28)), rng.integers(50, 100, (5, 28)).astype(float)
    together = promotion.gain(saved, questions)
    for row in range(5):
        alone = promotion.gain(saved[row], questions[row])
        assert (together.low[row], together.high[row]) == pytest.approx((alone.low, alone.high))  # type: ignore[index]


def test_the_boundary_is_where_the_days_are_fifty_times_likelier_under_a_difference() -> None:
    for days in (14, 28, 90, 365):
        t, wide = promotion.boundary(days), 1 + days * promotion.EFFECT_VARIANCE
        unlikely = (1 + t**2 / (days - 1)) / (1 + t**2 / (wide * (days - 1)))
        assert wide**-0.5 * unlikely ** (days / 2) == pytest.approx(promotion.EVIDENCE)


def test_days_too_few_for_a_rule_are_never_sure() -> None:
    patient = promotion.Rule(evidence=1000, effect_variance=0.01)
    assert promotion.boundary(14, patient) == np.inf
    found = promotion.gain(np.linspace(1, 2, 14), np.full(14, 100.0), patient)
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_numbers_are_json() -> None:
    here = asked()
    for champion in (here.risk, blurred(here, 0.1)):
        said = judged(here, champion, here.risk).numbers
        assert json.loads(json.dumps(said, allow_nan=False)) == said
