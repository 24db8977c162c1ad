"""Counts in windows, in the database, that any number of processes make together."""

import threading

import pytest
from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Engine, func, select

from backend.store import sql
from backend.store.counters import Counters


@pytest.fixture(name="clock")
def make_clock() -> list[int]:
    return [1_000]


@pytest.fixture(name="counters")
def make_counters(queue: Engine, clock: list[int]) -> Counters:
    return Counters(queue, lambda: clock[0])


def test_a_window_opens_with_the_first_count_and_forgets_when_it_ends(counters: Counters, clock: list[int]) -> None:
    assert [counters.incr("a", 60), counters.incr("a", 60, 2)] == [1, 3]
    assert (counters.get("a"), counters.get_expiry("a"), counters.get("b")) == (3, 1_060, 0)
    clock[0] = 1_059
    assert counters.incr("a", 60) == 4
    clock[0] = 1_060
    assert counters.get("a") == 0
    assert counters.incr("a", 60) == 1


def test_what_was_counted_can_be_given_back_and_cleared(counters: Counters) -> None:
    counters.incr("a", 60, 2)
    for left in (1, 0, 0):
        counters.give_back("a")
        assert counters.get("a") == left
    counters.incr("a", 60)
    counters.clear("a")
    assert counters.get("a") == 0


def test_no_count_is_lost_between_threads_and_the_limit_is_exact(counters: Counters, queue: Engine) -> None:
    limit, passed, start = RateLimitItemPerMinute(10), [], threading.Barrier(4)

    def hit() -> None:
        limiter = FixedWindowRateLimiter(Counters(queue, lambda: 1_000))
        start.wait()
        for _ in range(10):
            if limiter.hit(limit, "somebody"):
                passed.append(1)

    threads = [threading.Thread(target=hit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(passed) == 10
    assert counters.get(limit.key_for("somebody")) == 40


def test_an_error_undoes_what_was_counted_together(counters: Counters) -> None:
    with pytest.raises(ZeroDivisionError), counters.together() as together:
        together.incr("a", 60)
        assert together.get("a") == 1
        raise ZeroDivisionError
    assert counters.get("a") == 0


def test_windows_that_ended_are_forgotten_and_keys_are_not_what_was_typed(
    counters: Counters, clock: list[int], queue: Engine
) -> None:
    counters.incr("a name", 60)
    counters.incr("another", 600)
    clock[0] += 60
    counters.forget_ended()
    with queue.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(sql.counters)) == 1
        assert "another" not in str(connection.execute(select(sql.counters)).all())
    assert counters.check() and counters.reset() == 1
