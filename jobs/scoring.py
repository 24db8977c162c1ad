"""Scores files of flights, by one version and one state of what is known: what `jobs.predict` and the API's batches
share."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import IO

from sqlalchemy import Connection

from backend import clock
from backend.flights import asked, features
from backend.flights.asked import Fault, Schedule
from backend.model import scoring
from backend.model.bulk import Scorer
from backend.store import schedules
from backend.store.batches import Format
from jobs.files.csv_file import CsvSink, CsvSource
from jobs.files.table import Answer, Row, Sink, Source

NAMED_ERRORS = 20
LONGEST_QUOTE = 50  # characters of a cell that an error repeats


@dataclass
class Tally:
    """How many rows were answered and refused, and the first refusals: (line, reason)."""

    scored: int = 0
    refused: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many there were."""
        return self.scored + self.refused


def format_of(handle: IO[bytes]) -> Format:
    """What a file is, by how it begins. It is left at its beginning."""
    begins = handle.read(4)
    handle.seek(0)
    return "parquet" if begins == b"PAR1" else "csv"


@contextmanager
def files(file_format: str, handle: IO[bytes], size: int, target: IO[bytes]) -> Iterator[tuple[Source, Sink]]:
    """A file of that format and `size` bytes that is read, and one that is written. Raises FileRefusedError."""
    if file_format == "csv":
        source = CsvSource(handle, size)
        with closing(CsvSink(target, source)) as sink:
            yield source, sink
        return
    parquet = importlib.import_module("jobs.files.parquet_file")  # a second, which a CSV file need not wait for
    with closing(parquet.ParquetSource(handle)) as rows, closing(parquet.ParquetSink(target, rows)) as sink:
        yield rows, sink


def score_file(
    connection: Connection, scorer: Scorer, source: Source, sink: Sink, progress: Callable[[float, int], None]
) -> Tally:
    """Writes an answer for every row. `progress` is told the share and the number of rows that are done, and may raise
    what ends it. `connection` reads. Raises FileRefusedError."""
    tally = Tally()
    for chunk in source.chunks():
        answers = score(connection, scorer, chunk.rows)
        connection.rollback()  # SQLite: a reader that stays keeps the log of changes from being taken into the file
        sink.write(chunk, answers)
        for row, answer in zip(chunk.rows, answers, strict=True):
            if answer.error is None:
                tally.scored += 1
                continue
            tally.refused += 1
            if len(tally.errors) < NAMED_ERRORS:
                tally.errors.append((row.line, answer.error))
        progress(source.fraction(), tally.rows)
    return tally


def score(connection: Connection, scorer: Scorer, rows: Sequence[Row]) -> list[Answer]:
    """An answer for each row: its probability, or why it has none."""
    questions = [_unread(row) if row.fault else asked.from_row(row.cells) for row in rows]
    resolved = schedules.resolve(connection, questions, scorer.as_of)
    good = [(place, found) for place, found in enumerate(resolved) if isinstance(found, Schedule)]
    probabilities = scorer.probability(features.flights_of([schedule.plan for _, schedule in good]))
    version = str(scorer.bundle.version)
    answers = [
        Answer(scorer.as_of, error=None if isinstance(found, Schedule) else _in_words(row, found))
        for row, found in zip(rows, resolved, strict=True)
    ]
    for (place, schedule), probability in zip(good, probabilities.tolist(), strict=True):
        lead = (schedule.departure - scorer.as_of) // clock.MINUTE
        answers[place] = Answer(scorer.as_of, lead, probability, scoring.band(probability), version)
    return answers


def _unread(row: Row) -> list[Fault]:
    return [Fault("", row.fault)]


def _in_words(row: Row, faults: Sequence[Fault]) -> str:
    return "; ".join(_fault(row, fault) for fault in faults)


def _fault(row: Row, fault: Fault) -> str:
    if not fault.field:
        return fault.reason
    value = row.cells.get(fault.field, "")
    shown = value if len(value) <= LONGEST_QUOTE else f"{value[:LONGEST_QUOTE]}…"
    shown = "".join(letter if letter.isprintable() else "·" for letter in shown)
    return f"{fault.field}: {shown} {fault.reason}" if shown else f"{fault.field} {fault.reason}"
