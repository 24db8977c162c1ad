"""What Overview says about the model, and what the picture of the life cycle shows."""

from typing import Any, cast

import pytest

from ui import settings
from ui.answers import Champion, Job, Ready, Status
from ui.lifecycle import stages
from ui.promises import promises
from ui.retrain import newest_training
from ui.views.overview import verdict

READY: Ready = {"status": "ok", "missing": []}
BETTER = {"auc": 0.75, "brier": 0.16, "calibration_error": 0.01, "log_loss": 0.5}
WORSE = {"auc": 0.66, "brier": 0.18, "calibration_error": 0.02, "log_loss": 0.55}
CHAMPION = {"version": "1", "since": "2026-11-23T12:00:00Z", "feature_list": "1", "duration_seconds": 40.0}
FACTS = {"events": 10, "flights": 2, "weather_hours": 3, "first_departure": None, "last_departure": None, "seq": 10}


def champion(metrics: dict[str, float], baseline: dict[str, float]) -> Champion:
    return cast(Champion, {**CHAMPION, "metrics": metrics, "baseline": baseline})


def status(**parts: Any) -> Status:
    return cast(Status, {"facts": FACTS, "champion": CHAMPION, "jobs": {"queued": 0, "running": 0}, **parts})


def job(kind: str, state: str) -> Job:
    return cast(
        Job, {"id": f"{kind} {state}", "kind": kind, "state": state, "progress": 0.5, "message": "", "error": "no disk"}
    )


def test_a_model_that_beats_the_schedule_is_well() -> None:
    assert verdict(champion(BETTER, WORSE), READY)[1] is False


@pytest.mark.parametrize("metrics", [WORSE, {**BETTER, "brier": 0.19}, {**BETTER, "auc": 0.6}])
def test_a_model_that_does_not_beat_the_schedule_in_both_figures_is_not_well(metrics: dict[str, float]) -> None:
    sentence, alarming = verdict(champion(metrics, WORSE), READY)
    assert alarming
    assert sentence.startswith("No")


def test_a_model_that_cannot_answer_is_not_well_and_the_reason_is_said() -> None:
    sentence, alarming = verdict(champion(BETTER, WORSE), {"status": "no", "missing": ["Its bundle is gone."]})
    assert alarming
    assert "Its bundle is gone." in sentence


def test_each_stage_shows_what_it_does_now() -> None:
    def states(now: Status, ready: Ready, training: Job | None) -> list[str]:
        return [stage.state for stage in stages(now, ready, training)]

    assert states(status(), READY, None) == ["on"] * 5
    assert states(status(), READY, job("training", "running"))[2] == "busy"
    assert states(status(), READY, job("training", "failed"))[2] == "failed"
    assert states(status(jobs={"queued": 1, "running": 0}), READY, None)[2] == "busy"
    empty = status(champion=None, facts={**FACTS, "events": 0})
    assert states(empty, {"status": "no", "missing": ["No champion."]}, None) == ["waiting"] * 4 + ["failed"]


def test_a_training_under_way_is_found_again_before_those_that_have_ended() -> None:
    done, running = job("training", "done"), job("training", "running")
    assert newest_training([job("backtest", "running"), done, running]) == running
    assert newest_training([done, job("training", "failed")]) == done
    assert newest_training([job("backtest", "running")]) is None


def test_a_missing_key_says_which_file_and_what_to_do(tmp_path: Any) -> None:
    here = settings.load({"PUSHBACK_HOME": str(tmp_path)})
    with pytest.raises(FileNotFoundError, match="start the API"):
        settings.cookie_key(here)
    here.cookie_key_file.parent.mkdir()
    here.cookie_key_file.write_text("short\n")
    with pytest.raises(ValueError, match="32 or more"):
        settings.cookie_key(here)
    here.cookie_key_file.write_text("k" * 64 + "\n")
    assert settings.cookie_key(here) == "k" * 64


@pytest.mark.parametrize(
    ("at_two_hours", "until", "kept"),
    [
        ({"auc": 0.785, "brier": 0.149}, "2013-03-30T04:00:00Z", [True, True, True, True, True]),
        ({"auc": 0.770, "brier": 0.151}, "2013-02-20T05:00:00Z", [True, False, False, True, False]),
    ],
)
def test_a_promise_is_kept_only_where_its_target_is_reached(
    at_two_hours: dict[str, float], until: str, kept: list[bool]
) -> None:
    by_lead = [{"lead_hours": 24, "auc": 0.9, "brier": 0.1}, {"lead_hours": 2.0, **at_two_hours}]
    given = cast(Champion, {**champion(BETTER, WORSE), "by_lead": by_lead, "data_until": until})
    assert [promise.kept for promise in promises(given, "2013-04-01T04:00:00Z")] == kept


def test_a_promise_that_was_not_measured_is_neither_kept_nor_broken() -> None:
    given = cast(Champion, {**champion(BETTER, WORSE), "by_lead": [], "data_until": "2013-03-30T04:00:00Z"})
    assert [promise.kept for promise in promises(given, "2013-04-01T04:00:00Z")] == [True, None, None, True, True]
