"""When policies train and what they look at: decisions on made-up figures, so that the right one is known."""

import numpy as np
import pytest

from backend.model import policies
from backend.model.policies import COOLDOWN_DAYS, LOOK_DAYS, Policy


@pytest.mark.parametrize("name", [*policies.USUAL, "evidence:refit", "window:7d"])
def test_a_policy_is_known_by_its_name(name: str) -> None:
    assert policies.parse(name).name == name


def test_a_window_says_its_days_and_only_evidence_may_refit() -> None:
    assert policies.parse("window:90d") == Policy("window:90d", "window", window_days=90)
    assert policies.parse("evidence:refit") == Policy("evidence:refit", "evidence", refit=True)


@pytest.mark.parametrize(
    "name", ["", "weekly", "window", "window:0d", "window:90", "window:-1d", "monthly:refit", "Never"]
)
def test_another_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no policy: there are never, monthly, window:90d .* evidence:refit"):
        policies.parse(name)


def test_what_trains_by_the_calendar_and_what_waits_for_a_reason() -> None:
    by_calendar = {name for name in policies.USUAL if policies.trains_on_the_first(policies.parse(name))}
    assert by_calendar == {"monthly", "window:90d", "evidence"}
    watching = {name for name in policies.USUAL if policies.looks(policies.parse(name), COOLDOWN_DAYS)}
    assert watching == {"drift", "performance"}


@pytest.mark.parametrize("name", ["drift", "performance"])
def test_nobody_looks_before_the_cooldown_is_over_and_then_once_a_week(name: str) -> None:
    days = [day for day in range(COOLDOWN_DAYS + 3 * LOOK_DAYS) if policies.looks(policies.parse(name), day)]
    assert days == [COOLDOWN_DAYS, COOLDOWN_DAYS + LOOK_DAYS, COOLDOWN_DAYS + 2 * LOOK_DAYS]


def test_columns_of_one_distribution_have_not_moved() -> None:
    rng = np.random.default_rng(0)
    known, recent = rng.normal(size=(8000, 40)), rng.normal(size=(4000, 40))
    distances = policies.moved(policies.shape_of(known), policies.shape_of(recent))
    assert distances.max() < 0.1 and not policies.drifted(distances)


def test_a_shift_is_measured_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    known, recent = rng.normal(5, 3, (20000, 1)), rng.normal(5 + 1.5, 3, (20000, 1))
    (distance,) = policies.moved(policies.shape_of(known), policies.shape_of(recent))
    assert distance == pytest.approx(0.5, abs=0.03)


def test_a_wider_spread_is_drift_too_though_the_mean_is_the_same() -> None:
    rng = np.random.default_rng(0)
    known, recent = rng.normal(size=(20000, 1)), 2 * rng.normal(size=(20000, 1))
    (distance,) = policies.moved(policies.shape_of(known), policies.shape_of(recent))
    assert distance > 0.5


def test_what_is_missing_counts_in_no_column_and_a_constant_that_changes_has_moved() -> None:
    known = np.array([[np.nan, 1.0, 0.0, np.nan], [3.0, 1.0, 0.0, np.nan], [3.0, 1.0, 1.0, np.nan]])
    recent = np.array([[3.0, 2.0, np.nan, 1.0], [np.nan, 2.0, np.nan, 2.0]])
    distances = policies.moved(policies.shape_of(known), policies.shape_of(recent))
    assert distances.tolist() == [0, np.inf, 0, 0]


def test_drift_is_a_share_of_the_columns() -> None:
    columns = 100
    enough = round(policies.DRIFTED_SHARE * columns)
    for moved, expected in ((enough, True), (enough - 1, False)):
        distances = np.where(np.arange(columns) < moved, policies.MOVED, policies.MOVED / 2)
        assert policies.drifted(distances) is expected


def test_skill_is_nothing_for_the_base_rate_and_one_for_the_truth() -> None:
    truth = np.array([0, 0, 0, 1])
    assert policies.skill(truth, np.full(4, 0.25)) == pytest.approx(0)
    assert policies.skill(truth, truth.astype(float)) == 1
    assert policies.skill(truth, 1.0 - truth) < 0
    assert np.isnan(policies.skill(np.zeros(4, np.int64), np.full(4, 0.1)))


def test_performance_has_fallen_by_more_than_is_allowed_over_enough_days() -> None:
    enough, allowed = policies.FEWEST_FINAL_DAYS, policies.SKILL_FALL
    assert policies.fallen(0.2 - allowed - 1e-6, 0.2, enough)
    assert not policies.fallen(0.2 - allowed / 2, 0.2, enough)
    assert not policies.fallen(0.0, 0.2, enough - 1)
    assert not policies.fallen(float("nan"), 0.2, enough)
