"""`python -m jobs.predict` as a person runs it: a real process, no server, good rows and each kind of bad one."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from backend import clock
from backend.store import sql
from jobs.files.table import ADDED
from jobs.launch import parts
from tests.conftest import World

COLUMNS = ["carrier", "flight", "origin", "dest", "scheduled_departure", "scheduled_arrival"]


@pytest.fixture(name="stored")
def make_stored(world: World) -> list[dict[str, str]]:
    """Three flights of the next hours, as rows of a file, with their ids."""
    table = sql.flights.c
    with sql.open_engine(world.settings.database_url).connect() as connection:
        coming = select(sql.flights).where(table.scheduled_departure > world.until + 6 * clock.HOUR)
        rows = connection.execute(coming.order_by(table.scheduled_departure).limit(3)).fetchall()
    return [
        {
            "id": row.id,
            "carrier": row.carrier,
            "flight": str(row.number),
            "origin": row.origin,
            "dest": row.dest,
            "scheduled_departure": clock.iso(row.scheduled_departure) or "",
            "scheduled_arrival": clock.iso(row.scheduled_arrival) or "",
        }
        for row in rows
    ]


def write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(world: World, *words: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | parts.environment(world.settings)
    command = [sys.executable, "-m", "jobs.predict", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_good_rows_are_scored_alike_by_schedule_and_by_id(
    world_copy: World, stored: list[dict[str, str]], tmp_path: Path
) -> None:
    noted = [row | {"note": f"row, {number}"} for number, row in enumerate(stored)]
    by_schedule = run(
        world_copy, write(tmp_path / "in.csv", [*COLUMNS, "note"], noted), "--output", tmp_path / "out.csv"
    )
    assert by_schedule.returncode == 0, by_schedule.stderr
    assert "3 of 3 flights scored" in by_schedule.stdout
    risks = read(tmp_path / "out.csv")
    assert list(risks[0]) == [*COLUMNS, "note", *ADDED]
    assert [row["note"] for row in risks] == ["row, 0", "row, 1", "row, 2"]
    for row in risks:
        assert 0 < float(row["probability"]) < 1 and row["band"] in {"low", "medium", "high"}
        assert (row["model_version"], row["as_of"], row["error"]) == ("1", clock.iso(world_copy.until), "")
        assert int(row["lead_time_minutes"]) >= 360
    by_id = run(world_copy, write(tmp_path / "ids.csv", ["id"], stored), "--output", tmp_path / "out2.csv")
    assert by_id.returncode == 0, by_id.stderr
    assert [row["probability"] for row in read(tmp_path / "out2.csv")] == [row["probability"] for row in risks]


def test_parquet_comes_back_as_parquet(world_copy: World, stored: list[dict[str, str]], tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"id": row["id"]} for row in stored]), tmp_path / "in.parquet")
    result = run(world_copy, tmp_path / "in.parquet", "--output", tmp_path / "out.parquet")
    assert result.returncode == 0, result.stderr
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.names == ["id", *ADDED]
    assert all(0 < probability < 1 for probability in table.column("probability").to_pylist())


def test_each_bad_row_says_why_and_the_good_one_is_scored(
    world_copy: World, stored: list[dict[str, str]], tmp_path: Path
) -> None:
    good = stored[0] | {"id": ""}
    bad = {
        "id: ": {"id": "2013-04-01.UA.9999.EWR"},
        "carrier has no value; dest has no value": {"carrier": "", "dest": ""},
        "flight: ": {"flight": "12a"},
        "scheduled_departure: soon is no ISO 8601": {"scheduled_departure": "soon"},
        "scheduled_departure: 2013-04-01T12:00:00 is no": {"scheduled_departure": "2013-04-01T12:00:00"},
        "scheduled_departure: 2013-04-09T12:00:00Z is more than 24 hours after": {
            "scheduled_departure": "2013-04-09T12:00:00Z",
            "scheduled_arrival": "",
        },
        "scheduled_departure: 2013-03-31T12:00:00Z had passed": {
            "scheduled_departure": "2013-03-31T12:00:00Z",
            "scheduled_arrival": "",
        },
        f"scheduled_arrival: {good['scheduled_departure']} is not within": {
            "scheduled_arrival": good["scheduled_departure"]
        },
        "origin: XXX is not a known airport": {"origin": "XXX"},
        "dest: QQQ is not a known airport": {"dest": "QQQ"},
        "carrier: UNITED is not a known carrier": {"carrier": "UNITED"},
        "carrier: ZZ is not a known carrier": {"carrier": "ZZ"},
    }
    source = write(tmp_path / "in.csv", ["id", *COLUMNS], [good, *(good | change for change in bad.values())])
    result = run(world_copy, source, "--output", tmp_path / "out.csv")
    assert result.returncode == 1, result.stderr
    assert "1 of 13 flights scored" in result.stdout
    first, *others = read(tmp_path / "out.csv")
    assert first["probability"] and not first["error"]
    for line, (row, reason) in enumerate(zip(others, bad, strict=True), start=3):
        assert row["error"].startswith(reason) and not row["probability"] and not row["band"]
        assert f"line {line}: {row['error']}" in result.stderr


def test_no_good_row_is_status_2_and_an_empty_file_is_none_to_score(
    world_copy: World, stored: list[dict[str, str]], tmp_path: Path
) -> None:
    bad = write(tmp_path / "bad.csv", COLUMNS, [stored[0] | {"origin": "XXX"}])
    assert run(world_copy, bad, "--output", tmp_path / "out.csv").returncode == 2
    empty = run(world_copy, write(tmp_path / "empty.csv", COLUMNS, []), "--output", tmp_path / "none.csv")
    assert empty.returncode == 0 and "0 of 0 flights scored" in empty.stdout, empty.stderr
    assert (tmp_path / "none.csv").read_text(encoding="utf-8").strip() == ",".join([*COLUMNS, *ADDED])


def test_the_input_is_never_overwritten(world_copy: World, stored: list[dict[str, str]], tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", COLUMNS, stored)
    before = source.read_bytes()
    (tmp_path / "same.csv").symlink_to(source)
    result = run(world_copy, source, "--output", tmp_path / "same.csv")
    assert result.returncode == 2 and "choose another" in result.stderr
    assert source.read_bytes() == before


def test_a_file_that_is_missing_and_a_future_moment_are_sentences(
    world_copy: World, stored: list[dict[str, str]], tmp_path: Path
) -> None:
    missing = run(world_copy, tmp_path / "nowhere.csv", "--output", tmp_path / "out.csv")
    assert missing.returncode == 2 and "Nothing was scored:" in missing.stderr and "Traceback" not in missing.stderr
    source = write(tmp_path / "in.csv", COLUMNS, stored)
    future = run(world_copy, source, "--output", tmp_path / "out.csv", "--as-of", "2013-06-01T00:00:00Z")
    assert future.returncode == 2 and "--as-of is in the future" in future.stderr
