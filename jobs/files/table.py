"""What a file of flights looks like to who scores it, whatever its format: chunks of rows in, the same rows out with
columns added. Here are also the limits that keep any file from filling memory."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from backend.flights import asked

MOST_ROWS = 1_000_000
MOST_COLUMNS = 100
LONGEST_CELL = 1_000  # characters
LONGEST_NAME = 100
CHUNK_ROWS = 10_000
CHUNK_BYTES = 16 * 1024 * 1024  # of text in one chunk, where rows are long

# The columns that a result has beside those of its file, which lose columns of these names.
ADDED = ("as_of", "lead_time_minutes", "probability", "band", "model_version", "error")


class FileRefusedError(ValueError):
    """Why a file as a whole cannot be scored: a sentence for who sent it."""


class Row(NamedTuple):
    """One row: its place in the file, its cells as text where they say which flight is meant, and what is wrong with
    it before anybody has looked at the flight (empty where nothing is).

    `line` counts a CSV file's lines, of which the header is 1, or a Parquet file's rows from 1.
    """

    line: int
    cells: dict[str, str]
    fault: str = ""


class Chunk(NamedTuple):
    """Rows that are read and answered together, and the same rows as their file holds them, for its sink."""

    rows: list[Row]
    own: Any


class Answer(NamedTuple):
    """What is added to a row, in the order of ADDED; None and an `error` where it could not be scored."""

    as_of: int
    lead_time_minutes: int | None = None
    probability: float | None = None
    band: str | None = None
    model_version: str | None = None
    error: str | None = None


class Source(Protocol):
    """A file that is read. `chunks` raises FileRefusedError; `fraction` says how much of it has been read, 0 to 1."""

    def chunks(self) -> Iterator[Chunk]: ...

    def fraction(self) -> float: ...


class Sink(Protocol):
    """A file that is written: each chunk of its source, with an answer for each row."""

    def write(self, chunk: Chunk, answers: Sequence[Answer]) -> None: ...

    def close(self) -> None: ...


def check_columns(names: Sequence[str]) -> None:
    """Raises FileRefusedError unless those columns say which flights are meant, each once, and are not too many."""
    if len(names) > MOST_COLUMNS:
        raise FileRefusedError(f"The file has {len(names):,} columns, and {MOST_COLUMNS} at most are read.")
    for name in names:
        if len(name) > LONGEST_NAME:
            raise FileRefusedError(
                f"The name of the column {name[:20]}… is longer than {LONGEST_NAME} characters: is the first line the"
                " header?"
            )
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise FileRefusedError(f"The column {twice[0]!r} is there twice.")
    missing = asked.missing_columns(names)
    if missing is not None:
        raise FileRefusedError(missing)


def too_many_rows() -> FileRefusedError:
    """What is raised for the first row that is too many."""
    return FileRefusedError(f"The file has more than {MOST_ROWS:,} rows: send it in parts.")
