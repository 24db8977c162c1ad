"""Sums over windows and counts of what is open, against a look at every row."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.clock import HOUR
from backend.flights.windows import FOREVER, OpenIntervals, WindowSums

FEW = settings(max_examples=150, deadline=None, derandomize=True)
# Few distinct values, so that equal keys and the boundaries of windows are met often.
KEYS = st.integers(0, 3)
TIMES = st.integers(0, 12).map(lambda hours: 1_000_000 + hours * HOUR)
# A row: key, time, value, and how long after its time it was superseded (None: never; below 0: before it was known).
ROWS = st.lists(st.tuples(KEYS, TIMES, st.integers(-500, 500), st.none() | st.integers(-2, 6)), max_size=20)
QUESTIONS = st.lists(st.tuples(st.integers(-1, 5), TIMES), max_size=8)


def column(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


@FEW
@given(rows=ROWS, questions=QUESTIONS, windows=st.lists(st.integers(0, 15), min_size=1, max_size=3))
def test_a_windows_sum_is_that_of_the_rows_in_it(
    rows: list[tuple[int, int, int, int | None]], questions: list[tuple[int, int]], windows: list[int]
) -> None:
    ends = [FOREVER if lasts is None else time + lasts * HOUR for _, time, _, lasts in rows]
    values = column([part for _, _, value, _ in rows for part in (1, value)]).reshape(len(rows), 2)
    sums = WindowSums(column([row[0] for row in rows]), column([row[1] for row in rows]), values, column(ends))
    seconds = tuple(window * HOUR for window in windows)
    found = sums.past(column([key for key, _ in questions]), column([as_of for _, as_of in questions]), seconds)
    assert found.shape == (len(questions), len(windows), 2)
    for position, (key, as_of) in enumerate(questions):
        for place, window in enumerate(seconds):
            inside = [
                value
                for (of, time, value, _), end in zip(rows, ends, strict=True)
                if of == key and as_of - window < time <= as_of < end
            ]
            assert found[position, place].tolist() == [len(inside), sum(inside)]


@FEW
@given(rows=ROWS, questions=QUESTIONS, ahead=st.integers(0, 24))
def test_a_window_that_reaches_ahead_holds_what_was_believed_at_the_moment(
    rows: list[tuple[int, int, int, int | None]], questions: list[tuple[int, int]], ahead: int
) -> None:
    # Like schedules: known 48 hours before their time, and superseded some hours after that.
    known = [time - 48 * HOUR for _, time, _, _ in rows]
    ends = [
        FOREVER if lasts is None else since + lasts * 6 * HOUR
        for since, (_, _, _, lasts) in zip(known, rows, strict=True)
    ]
    values = column([row[2] for row in rows]).reshape(len(rows), 1)
    sums = WindowSums(column([row[0] for row in rows]), column([row[1] for row in rows]), values, column(ends))
    as_of = column([time - ahead * HOUR for _, time in questions])
    until = column([time for _, time in questions])[:, None]
    found = sums.between(column([key for key, _ in questions]), until - 3 * HOUR, until, as_of)
    for position, (key, last) in enumerate(questions):
        inside = [
            value
            for (of, time, value, _), since, end in zip(rows, known, ends, strict=True)
            if of == key and last - 3 * HOUR < time <= last and since <= as_of[position] < end
        ]
        assert found[position, 0, 0] == sum(inside)


@FEW
@given(rows=st.lists(st.tuples(KEYS, TIMES, st.integers(-2, 6), st.integers(0, 3)), max_size=20), questions=QUESTIONS)
def test_what_is_open_started_by_then_and_has_not_stopped(
    rows: list[tuple[int, int, int, int]], questions: list[tuple[int, int]]
) -> None:
    stops = [start + lasts * HOUR for _, start, lasts, _ in rows]
    since = [start - before * HOUR for _, start, _, before in rows]
    keys, starts = column([row[0] for row in rows]), column([row[1] for row in rows])
    intervals = OpenIntervals(keys, starts, column(stops), column(since))
    count, seconds = intervals.at(column([key for key, _ in questions]), column([as_of for _, as_of in questions]))
    for position, (key, as_of) in enumerate(questions):
        waits = [
            as_of - began
            for (of, start, _, _), stop, began in zip(rows, stops, since, strict=True)
            if of == key and start <= as_of < stop
        ]
        assert (count[position], seconds[position]) == (len(waits), sum(waits))


def test_a_row_counts_from_its_own_second_and_until_just_before_the_windows_length_later() -> None:
    sums = WindowSums(column([7]), column([1_000_000]), column([5]).reshape(1, 1))
    moments = column([999_999, 1_000_000, 1_000_000 + HOUR - 1, 1_000_000 + HOUR])
    assert sums.past(column([7] * 4), moments, (HOUR,)).ravel().tolist() == [0, 5, 5, 0]


def test_keys_of_the_largest_codes_do_not_meet() -> None:
    keys = column([0, 1, (1 << 62) - 1, -(1 << 62), (1 << 63) - 1])
    sums = WindowSums(keys, column([1_000_000] * 5), np.arange(1, 6).reshape(5, 1))
    assert sums.past(keys, column([1_000_000] * 5), (HOUR,)).ravel().tolist() == [1, 2, 3, 4, 5]
