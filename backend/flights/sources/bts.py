"""On-time performance files of the U.S. Bureau of Transportation Statistics, as a user downloads them: CSV, any year.

Both of the bureau's spellings of the column names are read: `FL_DATE` of its download page, `FlightDate` of its
prezipped files. Source: https://www.transtats.bts.gov, "Reporting Carrier On-Time Performance".
"""

import re
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
    """The events of one file. A file that is no CSV or lacks a column is refused whole, as one reject of line 1."""
    try:
        # Some exports end each line in a comma: without index_col=False, pandas would then shift the columns.
        frame = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False, skip_blank_lines=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        return Reading([], 0, 0, [Reject(path.name, 1, "", "", f"is no CSV file: {error}")])
    frame = frame[(frame.fillna("") != "").any(axis=1)]
    found = {ours: name for ours, names in NAMES.items() for name in names[::-1] if name in frame.columns}
    missing = [column for column in REQUIRED if column not in found]
    if missing:
        rejects = [
            Reject(path.name, 1, " or ".join(NAMES[column][:2]), "", "is missing: the whole file is refused")
            for column in missing
        ]
        return Reading([], len(frame), 0, rejects)
    table = pd.DataFrame({ours: frame[name].str.strip() for ours, name in found.items()})
    table["date"] = table["date"].map(_iso_date)
    if "aircraft" not in found:
        table["aircraft"], found["aircraft"] = "", "TAIL_NUM"
    table["line"] = frame.index + 2
    return to_events(path.name, table, found, known_airports())


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
