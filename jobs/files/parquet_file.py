"""Parquet files: read through a process of its own (parquet_child.py), written with the types that they had."""

import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import UnsupportedOperation
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backend.flights import asked
from jobs.files import parquet_child
from jobs.files.spreadsheet import FORMULA, NUMBER, safe
from jobs.files.table import ADDED, LONGEST_CELL, Answer, Chunk, FileRefusedError, Row

_TYPES = dict(
    zip(ADDED, (pa.timestamp("s", "UTC"), pa.int32(), pa.float64(), pa.string(), pa.string(), pa.string()), strict=True)
)
_ASKED = (*asked.SCHEDULE_FIELDS, "scheduled_arrival", "id")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_LATEST = 253_402_300_800  # the year 10000


class ParquetSource:
    """A Parquet file. Raises FileRefusedError where it is not to be read. It is to be closed."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._done = 0
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        with _on_disk(handle) as file:
            self._child = subprocess.Popen(
                [sys.executable, "-m", parquet_child.__name__], stdin=file, stdout=subprocess.PIPE, stderr=self._said
            )
        try:
            self._stream = pa.ipc.open_stream(self._child.stdout)
            self.kept = [name for name in self._stream.schema.names if name not in ADDED]
            for name in _ASKED:
                self._check_type(name)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._refused() from error
        except BaseException:
            self.close()
            raise
        self._rows = int(self._stream.schema.metadata[b"rows"])

    @property
    def schema(self) -> pa.Schema:
        """The columns that a result keeps."""
        return pa.schema([self._stream.schema.field(name) for name in self.kept])

    def fraction(self) -> float:
        """How much has been read, 0 to 1."""
        return self._done / max(1, self._rows)

    def close(self) -> None:
        """Ends the process that reads."""
        self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._said.close()

    def chunks(self) -> Iterator[Chunk]:
        """The rows, some thousand at a time. Raises FileRefusedError where the rest is not to be read."""
        while True:
            try:
                batch = self._stream.read_next_batch()
            except StopIteration:
                break
            except (pa.ArrowInvalid, OSError) as error:
                raise self._refused() from error
            if not batch.num_rows:
                continue
            faults = [""] * batch.num_rows
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if pa.types.is_string(column.type):
                    _find_long(name, column, faults)
            columns = {name: _texts(batch.column(name)) for name in batch.schema.names if name in _ASKED}
            cells = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            rows = [
                Row(self._done + place, of_row, fault)
                for place, (of_row, fault) in enumerate(zip(cells, faults, strict=True), start=1)
            ]
            self._done += batch.num_rows
            yield Chunk(rows, batch.select(self.kept))
        if self._child.wait():
            raise self._refused()

    def _check_type(self, name: str) -> None:
        if name not in self._stream.schema.names:
            return
        kind = self._stream.schema.field(name).type
        readable = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
        if not (any(is_such(kind) for is_such in readable) or pa.types.is_timestamp(kind)):
            raise FileRefusedError(
                f"The column {name} holds {kind}: text is read here, numbers, and times with a zone."
            )

    def _refused(self) -> FileRefusedError:
        """What the process said, or that it broke down."""
        if self._child.stdout is not None:
            self._child.stdout.close()
        status = self._child.wait()
        self._said.seek(0)
        said = self._said.read(2000).decode(errors="replace").strip()
        self._said.close()
        if status == parquet_child.REFUSED:
            return FileRefusedError(said.split("\n")[-1])
        return FileRefusedError(
            "The file cannot be decoded: it is damaged, or needs more memory than one file may have."
        )


@contextmanager
def _on_disk(handle: IO[bytes]) -> Iterator[int]:
    """The number of a file that the system knows: of a copy, where the handle is a bucket's."""
    try:
        number = handle.fileno()
    except (AttributeError, UnsupportedOperation):
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(handle, copy)
            yield copy.fileno()
        return
    yield number


def _find_long(name: str, column: pa.Array, faults: list[str]) -> None:
    too_long = pc.greater(pc.utf8_length(column), LONGEST_CELL)
    for place in pc.indices_nonzero(too_long).to_pylist() if pc.any(too_long).as_py() else ():
        faults[place] = faults[place] or f"{name} is longer than {LONGEST_CELL:,} characters"


def _texts(column: pa.Array) -> list[str]:
    """The cells as a CSV file would say them, empty where there is none."""
    if pa.types.is_timestamp(column.type):
        unit, zone = _A_SECOND[column.type.unit], column.type.tz is not None
        return [_time(count, unit, zone) for count in column.cast(pa.int64()).to_pylist()]
    return [_text(value) for value in column.to_pylist()]


def _time(count: int | None, unit: int, zone: bool) -> str:
    if count is None:
        return ""
    if not 0 <= count < _LATEST * unit:
        return f"{count / unit} s"
    text = (_EPOCH + timedelta(seconds=count // unit)).isoformat()
    return text if zone else text.removesuffix("+00:00")


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""  # numbers of which some are missing are floats in many programs
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


class ParquetSink:
    """The rows of a Parquet source with what was found, in its columns and ADDED."""

    def __init__(self, handle: IO[bytes], source: ParquetSource) -> None:
        own = [field.with_name(safe(field.name)) for field in source.schema]
        self._schema = pa.schema([*own, *_TYPES.items()])
        self._writer = pq.ParquetWriter(handle, self._schema, compression="zstd")

    def write(self, chunk: Chunk, answers: Sequence[Answer]) -> None:
        """Adds a chunk."""
        found = zip(zip(*answers, strict=True), _TYPES.values(), strict=True)
        columns = [*chunk.own.columns, *(pa.array(values, kind) for values, kind in found)]
        safe_ones = [_safe(column) if pa.types.is_string(column.type) else column for column in columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(safe_ones, schema=self._schema))

    def close(self) -> None:
        """Writes what waits, and leaves the file to who opened it."""
        self._writer.close()


def _safe(column: pa.Array) -> pa.Array:
    """The texts as spreadsheet.safe leaves them, cut to what a cell may have."""
    cut = pc.utf8_slice_codeunits(column, 0, LONGEST_CELL)
    formula = pc.match_substring_regex(cut, FORMULA)
    number = pc.match_substring_regex(cut, f"^(?:{NUMBER})$")
    return pc.if_else(pc.and_not(formula, number), pc.binary_join_element_wise("'", cut, ""), cut)
