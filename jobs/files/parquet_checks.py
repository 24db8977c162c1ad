"""What is handed on of a Parquet file: plain columns, whole rows, and no more of them than the limits say."""

import os
import struct
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.files.table import CHUNK_ROWS, LONGEST_CELL, MOST_ROWS, FileRefusedError, check_columns, too_many_rows

MAGIC = b"PAR1"
LONGEST_FOOTER = 16 * 1024**2
MOST_DECODED_BYTES = 1024**3  # of all rows, as plain text and numbers
BATCH_BYTES = 16 * 1024**2
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_PLAIN = (
    *(*_TEXT, pa.types.is_boolean, pa.types.is_null),
    *(pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal),
)


def hand_on(source: IO[bytes], target: IO[bytes]) -> None:
    """Reads a Parquet file and writes its rows as an Arrow stream: strings, numbers and times, of which a string is cut
    after the first character that is too many. Raises FileRefusedError for a file that is not to be decoded further."""
    try:
        file = _opened(source)
        schema = pa.schema(
            [(field.name, _plain(field)) for field in file.schema_arrow], {"rows": str(file.metadata.num_rows)}
        )
        with pa.ipc.new_stream(target, schema) as stream:
            rows = decoded = 0
            for batch in file.iter_batches(CHUNK_ROWS, use_threads=False):
                batch.validate(full=True)
                rows, decoded = rows + batch.num_rows, decoded + _decoded_bytes(batch)
                if rows > MOST_ROWS:
                    raise too_many_rows()
                if decoded > MOST_DECODED_BYTES:
                    raise FileRefusedError(
                        f"The file decodes to more than {MOST_DECODED_BYTES // 1024**2:,} MiB: send it in parts."
                    )
                for part in _parts(batch):
                    stream.write_batch(_decoded(part, schema))
    except MemoryError as error:
        raise FileRefusedError("A part of the file needs more memory to decode than one file may have.") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, FileRefusedError | BrokenPipeError):
            raise
        said = str(error).strip().partition("\n")[0].rstrip(".")
        raise FileRefusedError(f"The file cannot be read as Parquet: {said[:200]}.") from error


def _opened(source: IO[bytes]) -> Any:
    """The file, whose footer has been looked at. Text is left in the dictionaries that it is stored in."""
    size = source.seek(0, os.SEEK_END)
    if size < 12:
        raise FileRefusedError("The file is too short to be Parquet.")
    source.seek(size - 8)
    length, magic = struct.unpack("<I4s", source.read(8))
    if magic != MAGIC:
        raise FileRefusedError("The file does not end as Parquet does: was it sent whole?")
    if length > min(size, LONGEST_FOOTER):
        raise FileRefusedError(f"The file's footer is longer than {LONGEST_FOOTER // 1024**2} MiB.")
    source.seek(0)
    about = pq.read_metadata(source)
    if about.num_rows > MOST_ROWS:
        raise too_many_rows()
    fields = about.schema.to_arrow_schema()
    check_columns(fields.names)
    for field in fields:
        _plain(field)
    text = [field.name for field in fields if _is_text(_value_type(field.type))]
    source.seek(0)
    return pq.ParquetFile(
        source,
        metadata=about,
        read_dictionary=text,
        pre_buffer=False,
        buffer_size=1024**2,
        coerce_int96_timestamp_unit="us",
        arrow_extensions_enabled=False,
    )


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return any(is_such(kind) for is_such in _TEXT)


def _plain(field: pa.Field) -> pa.DataType:
    """The type that a column is handed on with. Raises FileRefusedError for one that is not a plain value a row."""
    kind = _value_type(field.type)
    if not any(is_such(kind) for is_such in _PLAIN):
        raise FileRefusedError(
            f"The column {field.name} holds {str(field.type)[:100]}: text, numbers, booleans and times are read."
        )
    return pa.string() if _is_text(kind) else kind


def _decoded_bytes(batch: pa.RecordBatch) -> int:
    return sum(map(_bytes_of, batch.columns))


def _bytes_of(column: pa.Array) -> int:
    """How much a column would take as plain values, its texts cut."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return int(column.nbytes)
    lengths = pc.min_element_wise(pc.binary_length(column.dictionary), 4 * LONGEST_CELL)
    return int(pc.sum(pc.cast(lengths, pa.int64()).take(column.indices)).as_py() or 0) + 4 * len(column)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch, in halves of halves where its rows are long."""
    if batch.num_rows < 2 or _decoded_bytes(batch) <= BATCH_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def _decoded(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [_cut(column).cast(field.type) for column, field in zip(batch.columns, schema, strict=True)], schema=schema
    )


def _cut(column: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(column.type):
        return column
    if not _is_text(column.type.value_type):
        return column.dictionary_decode()
    values = pc.utf8_slice_codeunits(column.dictionary.cast(pa.large_string()), 0, LONGEST_CELL + 1)
    return values.take(column.indices)
