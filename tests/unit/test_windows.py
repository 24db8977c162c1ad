"""Sums over windows against a look at every row, and layers of sums against one that was made anew."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.clock import HOUR
from backend.flights.windows import FOREVER, KEY_BITS, Rows, Window, Windows, WindowSums

FEW = settings(max_examples=150, deadline=None, derandomize=True)
# Few distinct values, so that equal keys and the boundaries of windows are met often.
KEYS = st.integers(0, 3)
TIMES = st.integers(0, 12).map(lambda hours: 1_000_000 + hours * HOUR)
Ints = npt.NDArray[np.int64]


class Row(NamedTuple):
    """A row that counts in two groups. `lasts` is how many hours after its time it was superseded (None: never; below
    0: before it was known)."""

    key: int
    other: int
    time: int
    value: int
    lasts: int | None


ROWS = st.lists(st.builds(Row, KEYS, KEYS, TIMES, st.integers(-500, 500), st.none() | st.integers(-2, 6)), max_size=20)
QUESTIONS = st.lists(st.tuples(st.integers(0, 5), TIMES), max_size=8)


def column(values: list[int]) -> Ints:
    return np.array(values, np.int64)


def end(row: Row) -> int:
    return FOREVER if row.lasts is None else row.time + row.lasts * HOUR


def rows_of(rows: list[Row]) -> Rows:
    """Each counts in the group of its key and in a second one, whose keys are 10 higher."""
    key = column([key for row in rows for key in (row.key, 10 + row.other)]).reshape(len(rows), 2).T
    values = column([part for row in rows for part in (1, row.value)]).reshape(len(rows), 2)
    return Rows(key, column([row.time for row in rows]), values, column([end(row) for row in rows]))


def past(sums: WindowSums, key: Ints, as_of: Ints, windows: tuple[int, ...]) -> Ints:
    """The sums of the last so many seconds: shape (windows, n, values)."""
    asked = Windows([Window(0, (0, -seconds), (0, 0)) for seconds in windows])
    return asked.sums(sums, key[None], as_of[None], as_of)


@FEW
@given(rows=ROWS, questions=QUESTIONS, windows=st.lists(st.integers(0, 15), min_size=1, max_size=3))
def test_a_windows_sum_is_that_of_the_rows_in_it(
    rows: list[Row], questions: list[tuple[int, int]], windows: list[int]
) -> None:
    sums = WindowSums(rows_of(rows))
    seconds = tuple(window * HOUR for window in windows)
    key, as_of = column([key for key, _ in questions]), column([as_of for _, as_of in questions])
    found, found_other = past(sums, key, as_of, seconds), past(sums, key + 10, as_of, seconds)
    assert found.shape == (len(windows), len(questions), 2)
    for position, (asked, moment) in enumerate(questions):
        for place, window in enumerate(seconds):
            inside = [row for row in rows if moment - window < row.time <= moment < end(row)]
            for keys, sums_found in (
                ([row.key for row in inside], found),
                ([row.other for row in inside], found_other),
            ):
                values = [row.value for row, of in zip(inside, keys, strict=True) if of == asked]
                assert sums_found[place, position].tolist() == [len(values), sum(values)]


@FEW
@given(rows=ROWS, questions=QUESTIONS, ahead=st.integers(0, 24))
def test_a_window_that_reaches_ahead_holds_what_was_believed_at_the_moment(
    rows: list[Row], questions: list[tuple[int, int]], ahead: int
) -> None:
    # Like schedules: known 48 hours before their time, and superseded some hours after that.
    known = [row.time - 48 * HOUR for row in rows]
    ends = [
        FOREVER if row.lasts is None else since + row.lasts * 6 * HOUR for since, row in zip(known, rows, strict=True)
    ]
    sums = WindowSums(rows_of(rows)._replace(valid_to=column(ends)))
    as_of = column([time - ahead * HOUR for _, time in questions])
    until = column([time for _, time in questions])
    key = column([key for key, _ in questions])
    found = Windows([Window(0, (1, -3 * HOUR), (1, 0))]).sums(sums, key[None], np.stack([as_of, until]), as_of)
    for position, (asked, last) in enumerate(questions):
        inside = [
            row.value
            for row, since, until_then in zip(rows, known, ends, strict=True)
            if row.key == asked and last - 3 * HOUR < row.time <= last and since <= as_of[position] < until_then
        ]
        assert found[0, position, 1] == sum(inside)


@FEW
@given(rows=ROWS, more=ROWS, gone=st.integers(0, 20), questions=QUESTIONS)
def test_rows_that_were_added_and_taken_away_in_a_layer_count_as_if_they_had_always_and_never_been_there(
    rows: list[Row], more: list[Row], gone: int, questions: list[tuple[int, int]]
) -> None:
    base, taken, added = rows_of(rows), rows_of(rows[:gone]), rows_of(more)
    change = Rows(
        np.concatenate([taken.key, added.key], axis=1),
        np.concatenate([taken.time, added.time]),
        np.concatenate([-taken.values, added.values]),
        np.concatenate([taken.valid_to, added.valid_to]),
    )
    key, as_of = column([key for key, _ in questions]), column([as_of for _, as_of in questions])
    windows = (3 * HOUR, 12 * HOUR)
    layered = past(WindowSums(change, WindowSums(base)), key, as_of, windows)
    assert layered.tolist() == past(WindowSums(rows_of([*rows[gone:], *more])), key, as_of, windows).tolist()


def test_an_end_that_several_windows_have_is_looked_up_once_and_each_window_has_its_own_sum() -> None:
    rows = [Row(7, 0, 1_000_000 + hour * HOUR, 1 << hour, None) for hour in range(6)]
    now = column([1_000_000 + 5 * HOUR])
    windows = Windows([Window(0, (0, -2 * HOUR), (0, 0)), Window(1, (0, -HOUR), (0, 0)), Window(0, (0, -HOUR), (0, 0))])
    found = windows.sums(WindowSums(rows_of(rows)), column([7, 10]).reshape(2, 1), now[None], now)
    assert found[:, 0].tolist() == [[2, 48], [1, 32], [1, 32]]


def test_a_row_counts_from_its_own_second_and_until_just_before_the_windows_length_later() -> None:
    sums = WindowSums(rows_of([Row(7, 0, 1_000_000, 5, None)]))
    moments = column([999_999, 1_000_000, 1_000_000 + HOUR - 1, 1_000_000 + HOUR])
    assert past(sums, column([7] * 4), moments, (HOUR,))[0, :, 1].tolist() == [0, 5, 5, 0]


def test_the_smallest_and_largest_keys_and_times_do_not_meet() -> None:
    largest = (1 << KEY_BITS) - 1
    keys, times = column([0, 1, largest - 1, largest]), [1_000_000, FOREVER - 1]
    for time in times:
        rows = Rows(keys[None], column([time] * 4), np.arange(1, 5).reshape(4, 1), np.full(4, FOREVER))
        assert past(WindowSums(rows), keys, column([time] * 4), (HOUR,)).ravel().tolist() == [1, 2, 3, 4]
        assert past(WindowSums(rows), keys, column([time - 1] * 4), (HOUR,)).ravel().tolist() == [0] * 4
