"""CSV files of any length (RFC 4180, UTF-8): read line by line, so that neither a long line nor a quote that is never
closed takes more than its own row, and written so that a spreadsheet runs nothing."""

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from backend import clock
from jobs.files import table
from jobs.files.spreadsheet import safe
from jobs.files.table import ADDED, Answer, Chunk, FileRefusedError, Row, check_columns, too_many_rows

LONGEST_RECORD = 128 * 1024  # bytes of a row
MOST_LINES = 50  # of a row: cells in quotes may hold line breaks


class _Record(NamedTuple):
    """A row as it stands in the file, and what is wrong with it."""

    line: int
    cells: list[str]
    fault: str = ""


class CsvSource:
    """A CSV file of `size` bytes. Raises FileRefusedError where its header does not say which flights are meant."""

    def __init__(self, handle: IO[bytes], size: int) -> None:
        self._handle, self._size = handle, size
        self._records = _records(handle)
        header = next(self._records, None)
        if header is None:
            raise FileRefusedError("The file is empty: its first line is to be a header.")
        if header.fault:
            raise FileRefusedError(f"The header cannot be read: {header.fault}.")
        self.columns = [name.strip().removeprefix("\ufeff") for name in header.cells]
        check_columns(self.columns)
        self.kept = [place for place, name in enumerate(self.columns) if name not in ADDED]

    def fraction(self) -> float:
        """How much has been read, 0 to 1."""
        return self._handle.tell() / max(1, self._size)

    def chunks(self) -> Iterator[Chunk]:
        """The rows, some thousand at a time; blank lines are none. Raises FileRefusedError where there are too many."""
        rows: list[Row] = []
        own: list[list[str]] = []
        length = 0
        for count, record in enumerate(self._records, start=1):
            if count > table.MOST_ROWS:
                raise too_many_rows()
            cells, fault = record.cells, record.fault or self._fault(record.cells)
            if fault:
                wide = [*cells, *[""] * len(self.columns)][: len(self.columns)]
                cells = [cell[: table.LONGEST_CELL] for cell in wide]
            rows.append(Row(record.line, dict(zip(self.columns, cells, strict=True)), fault))
            own.append([cells[place] for place in self.kept])
            length += sum(map(len, cells))
            if len(rows) == table.CHUNK_ROWS or length > table.CHUNK_BYTES:
                yield Chunk(rows, own)
                rows, own, length = [], [], 0
        if rows:
            yield Chunk(rows, own)

    def _fault(self, cells: list[str]) -> str:
        if len(cells) != len(self.columns):
            return f"the row has {len(cells)} cells, and the header {len(self.columns)}"
        for name, cell in zip(self.columns, cells, strict=True):
            if len(cell) > table.LONGEST_CELL:
                return f"{name} is longer than {table.LONGEST_CELL:,} characters"
        return ""


def _lines(handle: IO[bytes]) -> Iterator[bytes | None]:
    """Lines with their ends; None in the place of one that is too long, of which no more is kept in memory."""
    while line := handle.readline(LONGEST_RECORD + 1):
        if len(line) <= LONGEST_RECORD:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = handle.readline(LONGEST_RECORD)
        yield None


def _records(handle: IO[bytes]) -> Iterator[_Record]:
    """Rows, of which blank lines are none. One that is wrong has a fault, and the next line begins another."""
    lines = _lines(handle)
    waiting: deque[bytes | None] = deque()  # read in search of a quote's end, and not used
    number = 0
    while True:
        line = waiting.popleft() if waiting else next(lines, b"")
        if line == b"":
            return
        number += 1
        if line is None:
            yield _Record(number, [], f"the line is longer than {LONGEST_RECORD // 1024} KiB")
            continue
        if not line.strip(b"\r\n"):
            continue
        try:
            cells = _cells(line)
            more = 0
            if cells is None:
                cells, more = _over_lines(line, lines, waiting)
        except UnicodeDecodeError:
            text = line.decode("utf-8", errors="replace")
            yield _Record(number, text.rstrip("\r\n").split(","), "the row is not UTF-8 text")
        except csv.Error as error:
            text = line.decode("utf-8", errors="replace")
            yield _Record(number, text.rstrip("\r\n").split(","), f"the row cannot be read as CSV: {error}")
        else:
            yield _Record(number, cells)
            number += more


def _cells(line: bytes) -> list[str] | None:
    """The cells of a row; None where it ends inside of quotes. Raises csv.Error and UnicodeDecodeError."""
    text = line.decode("utf-8").rstrip("\r\n")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader((text,), strict=True))
    except csv.Error as error:
        if str(error) == "unexpected end of data":
            return None
        raise


def _over_lines(line: bytes, lines: Iterator[bytes | None], waiting: deque[bytes | None]) -> tuple[list[str], int]:
    """The cells of a row that begins with that line, and how many more lines it takes, which leave `waiting`.

    Raises csv.Error where it ends nowhere near; all lines after the first are left in `waiting` then.
    """
    text = line
    for more in range(1, MOST_LINES):
        if len(waiting) < more:
            following = next(lines, b"")
            if following == b"":
                break
            waiting.append(following)
        added = waiting[more - 1]
        if added is None or len(text) + len(added) > LONGEST_RECORD:
            break
        text += added
        if text.count(b'"') % 2 == 0:
            reader = csv.reader(io.StringIO(text.decode("utf-8"), newline=""), strict=True)
            cells = next(reader)
            if reader.line_num != more + 1:
                break
            for _ in range(more):
                waiting.popleft()
            return cells, more
    raise csv.Error("a quote is opened, and not closed")


class CsvSink:
    """The rows of a CSV source with what was found, in its columns and ADDED."""

    def __init__(self, handle: IO[bytes], source: CsvSource) -> None:
        self._text = io.TextIOWrapper(handle, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text)
        self._writer.writerow([*(safe(source.columns[place]) for place in source.kept), *ADDED])

    def write(self, chunk: Chunk, answers: Sequence[Answer]) -> None:
        """Adds a chunk."""
        self._writer.writerows(
            [*map(safe, own), *_text_of(answer)] for own, answer in zip(chunk.own, answers, strict=True)
        )

    def close(self) -> None:
        """Writes what waits, and leaves the file to who opened it."""
        self._text.detach()


def _text_of(answer: Answer) -> list[str]:
    as_of, lead, probability, *words = answer
    numbers = ["" if lead is None else str(lead), "" if probability is None else repr(probability)]
    return [clock.iso(as_of) or "", *numbers, *("" if word is None else safe(word) for word in words)]
