"""Parquet files of flights: read by a process with bounds, whatever is in them, and written with their types."""

import io
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.files import parquet_checks
from jobs.files.parquet_file import ParquetSink, ParquetSource
from jobs.files.table import ADDED, Answer, FileRefusedError, Row

NINE = datetime(2013, 4, 1, 9, 15, tzinfo=UTC)


def stored(path: Path, columns: dict[str, Any], **how: Any) -> Path:
    pq.write_table(pa.table(columns), path, **how)
    return path


def rows(path: Path) -> list[Row]:
    with path.open("rb") as handle:
        source = ParquetSource(handle)
        try:
            return [row for chunk in source.chunks() for row in chunk.rows]
        finally:
            source.close()


def refusal(path: Path) -> str:
    with pytest.raises(FileRefusedError) as refused:
        rows(path)
    return str(refused.value)


def test_cells_are_read_as_a_csv_file_would_say_them(tmp_path: Path) -> None:
    columns = {
        "carrier": pa.array(["UA", None, "B6", "x" * 1001]).dictionary_encode(),
        "flight": [1545.0, None, 7.5, 2.0],  # numbers of which one is missing, as pandas has them
        "origin": pa.array(["EWR"] * 4, pa.large_string()),
        "dest": ["IAH"] * 4,
        "scheduled_departure": pa.array([NINE, NINE, None, NINE], pa.timestamp("ns", "America/New_York")),
        "scheduled_arrival": pa.array([0, -1, 2**62, 3], pa.timestamp("ms")),  # without a zone, and far out
    }
    found = rows(stored(tmp_path / "flights", columns))
    assert found[0] == Row(
        1,
        {
            "carrier": "UA",
            "flight": "1545",
            "origin": "EWR",
            "dest": "IAH",
            "scheduled_departure": "2013-04-01T09:15:00+00:00",
            "scheduled_arrival": "1970-01-01T00:00:00",
        },
    )
    assert (found[1].cells["carrier"], found[1].cells["flight"], found[2].cells["flight"]) == ("", "", "7.5")
    assert found[2].cells["scheduled_departure"] == ""
    assert [row.cells["scheduled_arrival"] for row in found[1:3]] == ["-0.001 s", f"{2**62 / 1000} s"]
    assert [row.fault for row in found] == ["", "", "", "carrier is longer than 1,000 characters"]


def test_a_result_has_the_files_types_and_no_formula(tmp_path: Path) -> None:
    columns = {
        "id": ["=cmd()", "ok", "x" * 2000],
        "seats": pa.array([-1, None, 3], pa.int16()),
        "=note": ["-1.5", "-late", None],
        "band": [1, 2, 3],
    }
    out = io.BytesIO()
    with stored(tmp_path / "flights", columns).open("rb") as handle:
        source = ParquetSource(handle)
        sink = ParquetSink(out, source)
        for chunk in source.chunks():
            sink.write(chunk, [Answer(0, 5, 0.5, "high", "1"), Answer(0, error="why"), Answer(0, error="=why")])
        sink.close()
        source.close()
    table = pq.read_table(io.BytesIO(out.getvalue()))
    assert table.schema.names == ["id", "seats", "'=note", *ADDED]
    assert table.schema.field("seats").type == pa.int16()
    assert table.schema.field("probability").type == pa.float64()
    assert table.column("id").to_pylist() == ["'=cmd()", "ok", "x" * 1000]
    assert table.column("seats").to_pylist() == [-1, None, 3]
    assert table.column("'=note").to_pylist() == ["-1.5", "'-late", None]
    assert table.column("probability").to_pylist() == [0.5, None, None]
    assert table.column("error").to_pylist() == [None, "why", "'=why"]


def refused_at_once(content: bytes) -> str:
    """The same in this process, for files that need no bounds."""
    with pytest.raises(FileRefusedError) as refused:
        parquet_checks.hand_on(io.BytesIO(content), io.BytesIO())
    return str(refused.value)


def test_files_that_are_no_parquet_of_plain_columns_are_refused_with_a_sentence(tmp_path: Path) -> None:
    good = stored(tmp_path / "good", {"id": ["A"] * 1000}).read_bytes()
    bad = {
        "too short": b"PAR1",
        "does not end as Parquet does": good[:-20],
        "footer is longer": good[:-8] + struct.pack("<I4s", 2**31, b"PAR1"),
        "cannot be read as Parquet": good[:-60] + b"\xff" * 52 + good[-8:],
        "lacks the columns": stored(tmp_path / "a", {"name": ["A"]}).read_bytes(),
        "holds list": stored(tmp_path / "b", {"id": [["A"]]}).read_bytes(),
        "holds struct": stored(tmp_path / "c", {"id": ["A"], "x": [{"y": 1}]}).read_bytes(),
        "holds binary": stored(tmp_path / "d", {"id": ["A"], "x": [b"A"]}).read_bytes(),
        "101 columns": stored(tmp_path / "f", {"id": ["A"]} | {f"c{n}": [1] for n in range(100)}).read_bytes(),
    }
    for said, content in bad.items():
        assert said in refused_at_once(content)
    assert "id holds bool" in refusal(stored(tmp_path / "e", {"id": [True]}))


def test_a_damaged_page_is_refused_and_no_process_is_left(tmp_path: Path) -> None:
    path = stored(tmp_path / "flights", {"id": [f"{n * 7919}" for n in range(50_000)]}, compression="zstd")
    content = bytearray(path.read_bytes())
    content[2000:2400] = b"\x00" * 400
    path.write_bytes(content)
    with path.open("rb") as handle:
        source = ParquetSource(handle)
        with pytest.raises(FileRefusedError):
            list(source.chunks())
        source.close()
        assert source._child.poll() is not None  # pylint: disable=protected-access


def test_bombs_are_refused_before_they_fill_memory(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), ["\U0001f6eb" * 1000])
    wide = stored(tmp_path / "wide", {"id": texts} | {f"c{n}": texts for n in range(39)}, compression="zstd")
    assert "decodes to more than 1,024 MiB" in refusal(wide)
    plain = {"compression": "snappy", "use_dictionary": False, "write_statistics": False}
    huge = stored(tmp_path / "huge", {"id": ["x" * 400_000_000]}, **plain)
    assert "memory" in refusal(huge)
    assert wide.stat().st_size < 1_000_000 and huge.stat().st_size < 20_000_000


def test_rows_too_many_are_refused_by_what_the_file_says(tmp_path: Path) -> None:
    path = stored(tmp_path / "flights", {"id": pa.nulls(1_000_001, pa.string())})
    assert "more than 1,000,000 rows" in refused_at_once(path.read_bytes())
