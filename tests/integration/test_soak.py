"""Mixed load with two processes killed in the middle, in short; `make soak` is ten minutes of it, with a training."""

from tests import small_world
from tests.conftest import PASSWORD, World
from tests.integration import versions
from tests.soak import course

SECONDS = 12


def test_nothing_that_was_answered_or_accepted_under_load_is_missing_or_wrong_when_two_processes_were_killed(
    world_copy: World, password_hash: str
) -> None:
    versions.add(world_copy, 2, calibration={"slope": 0.6, "intercept": 0.4})
    feed = small_world.facts_after(world_copy.until, days=2)
    found = course.run(world_copy.settings, world_copy.until, feed, (PASSWORD, password_hash), SECONDS, version=2)
    assert not found.faults, course.report(found)
    assert len(found.load.notes.kills) == 2 and found.load.notes.cut_off, "the kills came into the load"
    assert {told.version for told in found.kept.answers.values()} == {1, 2}
