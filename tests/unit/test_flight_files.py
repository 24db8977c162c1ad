"""Files of flights as they are read and written: every row in its place, and no file too much for memory."""

import csv
import io
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from jobs.files import table
from jobs.files.csv_file import CsvSink, CsvSource
from jobs.files.spreadsheet import safe
from jobs.files.table import ADDED, Answer, FileRefusedError, Row

HEADER = "id,note\n"


def source(text: str | bytes) -> CsvSource:
    content = text.encode() if isinstance(text, str) else text
    return CsvSource(io.BytesIO(content), len(content))


def rows(text: str | bytes) -> list[Row]:
    return [row for chunk in source(text).chunks() for row in chunk.rows]


def written(text: str, answer: Answer | None = None) -> list[list[str]]:
    read, out = source(text), io.BytesIO()
    sink = CsvSink(out, read)
    for chunk in read.chunks():
        sink.write(chunk, [answer or Answer(0, error=row.fault or None) for row in chunk.rows])
    sink.close()
    return list(csv.reader(io.StringIO(out.getvalue().decode("utf-8"), newline="")))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_keep_their_lines_where_cells_hold_line_breaks_and_lines_are_blank(end: str) -> None:
    lines = ["\ufeffid,note", "A,plain", "", 'B,"two', 'lines, ""quoted"""', "C,", '"D",last']
    found = rows(end.join(lines))
    assert [(row.line, row.cells["id"], row.fault) for row in found] == [
        (2, "A", ""),
        (4, "B", ""),
        (6, "C", ""),
        (7, "D", ""),
    ]
    assert found[1].cells["note"] == f'two{end}lines, "quoted"'


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"B", "the row has 1 cells, and the header 2"),
        (b"B,1,2", "the row has 3 cells, and the header 2"),
        (b"B,\xff\xfe", "the row is not UTF-8 text"),
        (b'B,"never closed', "a quote is opened, and not closed"),
        (b'B,"closed"early', "cannot be read as CSV"),
        (b"B," + b"x" * 1001, "note is longer than 1,000 characters"),
        (b"B," + b"x" * 300_000, "the line is longer than 128 KiB"),
        (b'B,"' + b"\n" * 60 + b'"', "a quote is opened, and not closed"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_rows_around_it_are_read(bad: bytes, reason: str) -> None:
    found = rows(HEADER.encode() + b"A,1\n" + bad + b"\nC,3\n")
    assert (found[0].line, found[0].cells["id"], found[0].fault) == (2, "A", "")
    assert found[1].line == 3 and reason in found[1].fault
    assert found[-1].cells == {"id": "C", "note": "3"} and not found[-1].fault
    assert found[-1].line == 4 + bad.count(b"\n")


def test_a_quote_that_is_never_closed_takes_no_other_row_with_it() -> None:
    found = rows(HEADER + 'A,"open\n' + "".join(f"B{number},x\n" for number in range(500)))
    assert [bool(row.fault) for row in found] == [True, *[False] * 500]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "is empty"),
        ("carrier;flight;origin\nUA;1;EWR", "cells are separated by commas"),
        ("carrier,flight,origin,dest\n", "lacks the columns scheduled_departure"),
        ("id,note,note\n", "'note' is there twice"),
        ("id," + ",".join(map(str, range(200))), "201 columns"),
        ("id," + "x" * 101, "longer than 100"),
        ("id," + "x" * 200_000, "the line is longer"),
        (b"\xff\xfei\x00d\x00\n\x00", "is not UTF-8"),
        (b"\x00\x01\x02", "lacks the columns"),
    ],
)
def test_a_header_that_does_not_say_which_flight_is_meant_is_refused(header: str | bytes, said: str) -> None:
    with pytest.raises(FileRefusedError, match=said):
        source(header)


def test_a_row_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_ROWS", 20)
    assert len(rows(HEADER + "A,\n" * 20)) == 20
    with pytest.raises(FileRefusedError, match="send it in parts"):
        rows(HEADER + "A,\n" * 21)


class Endless(io.RawIOBase):
    """A file of 40 MB that is nowhere."""

    def __init__(self, parts: Callable[[], Any], size: int = 40 * 10**6) -> None:
        self._parts, self._left, self._rest = iter(parts, None), size, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and self._left > 0:
            self._rest = next(self._parts)
        count = min(len(buffer), len(self._rest), max(0, self._left))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        self._left -= count
        return count


@pytest.mark.parametrize("part", [b"x" * 65536, b'"' + b"x" * 65535], ids=["one line", "one line of quotes"])
def test_a_line_without_an_end_takes_no_memory(part: bytes) -> None:
    numbers = itertools.count()
    handle = io.BufferedReader(Endless(lambda: part if next(numbers) else b"id\nA\n"))
    tracemalloc.start()
    try:
        found = [row for chunk in CsvSource(handle, 1).chunks() for row in chunk.rows]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [row.line for row in found] == [2, 3] and found[1].fault
    assert most < 8 * 1024**2


def test_chunks_of_long_rows_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "CHUNK_BYTES", 5_000)
    chunks = list(source(HEADER + ("A," + "x" * 900 + "\n") * 30).chunks())
    assert len(chunks) == 5 and sum(len(chunk.rows) for chunk in chunks) == 30


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0-x", "＝1", "-", "-1,5", "- late"]
)
def test_no_cell_begins_a_formula(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "-1", "-1.5", "-2e-05", "1-2", "a=b", "late", "'=1", "2013-04-01", " x"])
def test_other_cells_are_left_as_they_are(cell: str) -> None:
    assert safe(cell) == cell


def test_a_result_is_the_file_with_what_was_found_and_runs_nowhere() -> None:
    text = 'id,=cmd,probability,note\nA,"=HYPERLINK(""http://x"")",0.9,-3\n@x,1,,"a\n=b"\n'
    answer = Answer(1364788800, 60, 0.25, "medium", "3")
    found = written(text, answer)
    assert found[0] == ["id", "'=cmd", "note", *ADDED]
    tail = ["2013-04-01T04:00:00Z", "60", "0.25", "medium", "3", ""]
    assert found[1] == ["A", '\'=HYPERLINK("http://x")', "-3", *tail]
    assert found[2] == ["'@x", "1", "a\n=b", *tail]


def test_a_row_that_cannot_be_read_is_in_the_result_as_far_as_it_goes() -> None:
    assert [row[:2] for row in written("id,note\nA\nB,1,2\nC," + "x" * 1001)[1:]] == [
        ["A", ""],
        ["B", "1"],
        ["C", "x" * table.LONGEST_CELL],
    ]
