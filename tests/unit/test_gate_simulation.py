"""Simulated years are made of whole real days, and their looks see what the gate itself would see."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from backend.model import gate_simulation, promotion
from backend.model.gate_simulation import Duel, Usage
from backend.model.rivals import Asked
from jobs import gate_simulation as job

DAYS = 40
A_DAY = 60


@pytest.fixture(name="asked", scope="module")
def make_asked() -> Asked:
    rng = np.random.default_rng(0)
    count = DAYS * A_DAY
    risk = rng.beta(1, 3, count)
    truth = (rng.random(count) < risk).astype(np.int64)
    seen = {name: np.clip(risk + rng.normal(0, 0.05, count), 0.02, 0.98) for pair in job.EQUAL for name in pair}
    poor = {name: np.clip(risk + rng.normal(0, 0.6, count), 0.02, 0.98) for name in ("schedule", "january")}
    origin = np.array(["EWR", "JFK"])[np.arange(count) % 2]
    return Asked(np.arange(count) // A_DAY, np.arange(count), truth, {"origin": origin}, seen | poor)


def test_years_are_blocks_of_consecutive_days() -> None:
    drawn = gate_simulation.years(DAYS, 20, gate_simulation.NIGHTLY, np.random.default_rng(1))
    assert drawn.day.shape == (20, 28 + gate_simulation.LOOKS - 1)
    within = np.diff(drawn.block, axis=1) == 0
    assert (np.diff(drawn.day, axis=1)[within] % DAYS == 1).all()
    assert drawn.block.max(axis=1).mean() == pytest.approx(drawn.day.shape[1] / gate_simulation.BLOCK, rel=0.2)


def test_sides_are_tossed_once_a_block() -> None:
    rng = np.random.default_rng(2)
    drawn = gate_simulation.years(DAYS, 50, gate_simulation.NIGHTLY, rng)
    sides = gate_simulation.tossed(drawn, rng)
    within = np.diff(drawn.block, axis=1) == 0
    assert (np.diff(sides, axis=1)[within] == 0).all()
    assert abs(sides.mean()) < 0.1


@pytest.mark.parametrize(
    ("usage", "look", "days"),
    [(Usage("newest", 28, 28), 3, (3, 31)), (Usage("all", 28, 0), 3, (0, 31)), (Usage("all", 14, 0), 0, (0, 14))],
)
def test_a_look_sees_its_days(usage: Usage, look: int, days: tuple[int, int]) -> None:
    assert usage.window(look) == slice(*days)


def test_the_quick_look_and_the_gate_itself_say_the_same_of_the_brier_score(asked: Asked) -> None:
    rng = np.random.default_rng(3)
    drawn = gate_simulation.years(DAYS, 1, gate_simulation.NIGHTLY, rng)
    duel = Duel(asked, asked.answers["seed 1"], asked.answers["half 1a"], gate_simulation.tossed(drawn, rng))
    saved, questions = duel.by_day(drawn)
    window = gate_simulation.NIGHTLY.window(5)
    quick = promotion.gain(saved[0, window], questions[0, window])
    whole = gate_simulation.judge(duel, drawn.day[0, window], duel.sides[0, window])
    assert whole.numbers["brier_gain_bounds"] == pytest.approx([quick.low, quick.high])


def test_a_weakened_model_is_worse_by_just_that(asked: Asked) -> None:
    found = gate_simulation.weakened(asked, "seed 1", asked.answers["schedule"], 0.02)
    before = roc_auc_score(asked.truth, asked.answers["seed 1"])
    assert before - roc_auc_score(asked.truth, found) == pytest.approx(0.02, abs=1e-3)


def test_nothing_weakens_that_is_not_worse_itself(asked: Asked) -> None:
    with pytest.raises(ValueError, match="not worse"):
        gate_simulation.weakened(asked, "seed 1", asked.answers["seed 1"])


def test_the_interval_of_a_share_holds_it() -> None:
    low, high = gate_simulation.interval(0, 2000)
    assert (low, high) == pytest.approx((0, 0.0019), abs=1e-4)
    assert gate_simulation.interval(100, 2000) == pytest.approx((0.0413, 0.0605), abs=1e-4)


def test_each_way_of_looking_is_tried_on_equal_worse_and_better_models(asked: Asked) -> None:
    rows = list(job.simulated(asked, 12, 2, np.random.default_rng(4)))
    assert {(row["looks"], row["kind"]) for row in rows} == {
        (usage.name, kind) for usage in gate_simulation.USAGES for kind in ("equal", "worse", "better")
    }
    for row in rows:
        assert row["years"] == (2 if row["kind"] == "better" else 12)
        assert row["share"] == row["promoted"] / row["years"]
        assert (row["nights"] is None) == (row["kind"] != "better")
    assert not any(row["promoted"] for row in rows if row["kind"] == "worse")
