"""On-time performance files of the U.S. Bureau of Transportation Statistics, as a user downloads them: CSV, any year.

Both of the bureau's spellings of the column names are read: `FL_DATE` of its download page, `FlightDate` of its
prezipped files. Source: https://www.transtats.bts.gov, "Reporting Carrier On-Time Performance".
"""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from backend.flights.sources.airports import known_airports
from backend.flights.sources.rows import COLUMNS, Reading, Reject, to_events

NAMES = {
    "date": ("FL_DATE", "FlightDate"),
    "carrier": ("OP_UNIQUE_CARRIER", "Reporting_Airline", "OP_CARRIER", "IATA_CODE_Reporting_Airline"),
    "number": ("OP_CARRIER_FL_NUM", "Flight_Number_Reporting_Airline"),
    "origin": ("ORIGIN", "Origin"),
    "dest": ("DEST", "Dest"),
    "scheduled_departure": ("CRS_DEP_TIME", "CRSDepTime"),
    "scheduled_arrival": ("CRS_ARR_TIME", "CRSArrTime"),
    "departure_delay": ("DEP_DELAY", "DepDelay"),
    "arrival_delay": ("ARR_DELAY", "ArrDelay"),
    "aircraft": ("TAIL_NUM", "Tail_Number"),
    "cancelled": ("CANCELLED", "Cancelled"),
    "diverted": ("DIVERTED", "Diverted"),
}
REQUIRED = (*COLUMNS, "departure_delay", "arrival_delay", "cancelled", "diverted")


def read(path: Path) -> Reading:
    """The events of one file, whose every line is a row.

    A file that is no CSV or lacks a column is refused whole, as one reject of line 1 for each fault.
    """
    with path.open("rb") as handle:
        try:
            header = _fields(handle.readline())
            while header and not header[-1]:  # some exports end each line in a comma
                header.pop()
            if not header:
                raise ValueError("its first line names no columns")
        except (ValueError, csv.Error) as error:
            return Reading([], 0, 0, [Reject(path.name, 1, "", "", f"is no CSV file: {error}")])
        found = {ours: name for ours, names in NAMES.items() for name in names[::-1] if name in header}
        missing = [
            Reject(path.name, 1, " or ".join(NAMES[column][:2]), "", "is missing: the whole file is refused")
            for column in REQUIRED
            if column not in found
        ]
        if missing:
            return Reading([], 0, 0, missing)
        rows, rejects = _rows(path.name, handle, header, [header.index(name) for name in found.values()])
    table = pd.DataFrame(rows, columns=["line", *found])
    table["date"] = table["date"].map(_iso_date)
    if "aircraft" not in found:
        table["aircraft"], found["aircraft"] = "", "TAIL_NUM"
    reading = to_events(path.name, table, found, known_airports())
    rejects = sorted([*rejects, *reading.rejects], key=lambda reject: reject.line)
    return reading._replace(read=reading.read + len(rejects) - len(reading.rejects), rejects=rejects)


def _rows(
    file: str, lines: Iterable[bytes], header: list[str], wanted: list[int]
) -> tuple[list[tuple[int | str, ...]], list[Reject]]:
    """The line number and the wanted fields of each row after the header, and the rows that have not its columns."""
    rows: list[tuple[int | str, ...]] = []
    rejects: list[Reject] = []
    for line, content in enumerate(lines, start=2):
        try:
            fields = _fields(content)
        except (ValueError, csv.Error) as error:
            rejects.append(Reject(file, line, header[0], "", f"is no line of CSV: {error}"))
            continue
        if not any(fields):
            continue
        reason = f"the line has {len(fields)} fields, and the header names {len(header)} columns"
        if len(fields) < len(header):
            rejects.append(Reject(file, line, header[len(fields)], "", f"is missing: {reason}"))
        elif any(fields[len(header) :]):
            rejects.append(Reject(file, line, header[-1], fields[-1], f"is not the last: {reason}"))
        else:
            rows.append((line, *(fields[place] for place in wanted)))
    return rows, rejects


def _fields(line: bytes) -> list[str]:
    """The fields of a line. Raises ValueError for what is not UTF-8, and csv.Error for what is no CSV."""
    text = line.decode("utf-8-sig").rstrip("\r\n")
    return [field.strip() for field in next(csv.reader([text], strict=True), [])]


_ISO_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ].*)?")
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: .*)?")


def _iso_date(text: object) -> str:
    """YYYY-MM-DD from that, or from M/D/YYYY with or without a time; anything else comes back as it is."""
    said = str(text).strip()
    if match := _ISO_DATE.fullmatch(said):
        return match[1]
    if match := _US_DATE.fullmatch(said):
        return f"{match[3]}-{int(match[1]):02d}-{int(match[2]):02d}"
    return said
