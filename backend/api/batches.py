"""POST /predictions/batch: a file of flights, scored as a job."""

import csv
import errno
import uuid
from datetime import datetime
from typing import IO, Any

from apiflask import APIBlueprint
from flask import request, url_for
from pydantic import Field
from sqlalchemy import Connection

from backend import clock
from backend.api import context, schemas, uploads
from backend.api.auth import ANALYST, auth, current_account
from backend.api.errors import Problem
from backend.api.jobs import Job, as_json
from backend.api.openapi import REQUEST_BODY
from backend.api.quotas import costly
from backend.flights import asked
from backend.model.serving import NoChampionError
from backend.store import batches, jobs, sql
from backend.store import events as log
from backend.store.batches import Format
from backend.store.blobs import Blobs

bp = APIBlueprint("batches", __name__, tag="Predictions")

CONTENT_TYPES: dict[str, str] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
MOST_WAITING = 5  # files of one account that wait or are being scored
LEFT_FREE_BYTES = 256 * 1024**2  # of the disk, for what has to be written down meanwhile
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
EXAMPLE = (
    "carrier,flight,origin,dest,scheduled_departure,note\r\n"
    "UA,1545,EWR,IAH,2013-04-01T09:15:00Z,group of 40\r\n"
    "B6,27,JFK,TPA,2013-04-01T18:05:00-04:00,\r\n"
)
BODY = {
    "required": True,
    "description": "One file of at most 200 MiB",
    "content": {
        CONTENT_TYPES["csv"]: {"schema": {"type": "string"}, "example": EXAMPLE},
        CONTENT_TYPES["parquet"]: {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary", "description": "CSV or Parquet"}},
                "required": ["file"],
                "additionalProperties": False,
            }
        },
    },
}


class Options(schemas.Query):
    """As of when."""

    as_of: schemas.Moment | None = Field(
        default=None,
        description="whose knowledge is used for every row; by default the data clock when the file arrives",
        examples=["2013-04-01T04:00:00Z"],
    )


@bp.post("/predictions/batch")
@uploads.streamed
@bp.auth_required(auth, roles=ANALYST)
@bp.input(Options, location="query", arg_name="options")
@bp.output(Job, status_code=202, description="The job, whose address is in `Location`")
@bp.doc(
    responses={
        400: "The file broke off",
        408: "The file came too slowly",
        413: "The file is larger than 200 MiB",
        415: "The file has another content type, or is compressed",
        422: "The query is not valid, or this is no file of flights",
        429: "Five files of this account wait already, or it has asked for too much this hour",
        503: "Nothing serves yet, or too many files are being sent: try again",
        507: "The server's disk has no room for the file",
    },
    extensions={REQUEST_BODY: BODY},
)
@costly
def new(options: Options) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Score a file of flights

    A CSV file (UTF-8, with a header) or a Parquet file of flat columns, with at most 200 MiB, 1,000,000 rows, 100
    columns and 1,000 characters a cell. Each row names a flight by `id`, or by `carrier`, `flight`, `origin`, `dest`,
    `scheduled_departure` (ISO 8601 with its zone) and, where known, `scheduled_arrival`; other columns come back as
    they are. Send it as it is, or as the one file of a form.

    Answers at once with a job. Once that is done, `GET /jobs/{id}/result` is the file with what was found. A row that
    cannot be scored says why in `error`, and the others are scored; the job's `result` counts them and names the
    first 20 by line. All rows are answered by one version, from what is known when the job begins to read.

    What a file was answered is in the file, and not in the log of predictions: it counts in no figure of performance
    or drift. As of when, by which version and from which facts (`seq`) stands in the job's `result`.
    """
    account, here = current_account(), context.get()
    uploads.check(tuple(CONTENT_TYPES.values()))
    with here.engine.connect() as connection:
        as_of = _as_of(connection, options.as_of)
    if jobs.count_unfinished(here.engine, account.username, batches.KIND) >= MOST_WAITING:
        detail = (
            f"{MOST_WAITING} files of this account wait or are being scored: send this one when one of them is done."
        )
        raise Problem(429, "Too many files", detail, headers={"Retry-After": "30"})
    blobs, identity = Blobs(here.settings.blobs), str(uuid.uuid4())
    try:
        with uploads.slot():
            file_format, length = _store(blobs, identity)
        params = {"format": file_format, "as_of": clock.iso(as_of), "bytes": length}
        with sql.writing(here.engine) as connection:
            job = jobs.add(connection, batches.KIND, params, account.username, here.now(), identity=identity)
    except BaseException:
        batches.forget(blobs, identity)
        raise
    return as_json(job), 202, {"Location": url_for("jobs.get", identity=identity)}


def _store(blobs: Blobs, job: str) -> tuple[Format, int]:
    """Takes the file into the blob store; its format and its bytes. Raises Problem, 507 where there is no room."""
    free = blobs.free_bytes()
    if free is not None and free < (request.content_length or 0) + LEFT_FREE_BYTES:
        raise _no_room()
    try:
        with blobs.writing(batches.upload(job)) as handle:
            looked_at = _Ends(handle)
            length = uploads.receive(looked_at.write)
            return looked_at.format(), length
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise _no_room() from error


def _as_of(connection: Connection, given: datetime | None) -> int:
    """The moment whose knowledge is used. Raises Problem 422 for one that is none, and 503 where nothing can answer."""
    now = log.data_clock(connection)
    if now is None:
        raise Problem(503, "Not ready", "There are no facts yet: run python -m jobs.ingest.")
    try:
        context.get().serving.champion(connection)
    except NoChampionError as error:
        raise Problem(503, "Not ready", str(error)) from error
    as_of = now if given is None else clock.to_epoch(given)
    if 0 <= as_of <= now:
        return as_of
    if as_of < 0:
        raise _not_then("as_of is too early", "is before 1970")
    raise _not_then("as_of is in the future", f"is in the future: the data clock stands at {clock.iso(now)}")


def _not_then(title: str, reason: str) -> Problem:
    return Problem(422, title, f"as_of {reason}.", [{"parameter": "as_of", "reason": reason}])


def _no_room() -> Problem:
    detail = "The server's disk has no room for the file: nothing of it was kept. Who runs the server has to make room."
    return Problem(507, "No room", detail)


class _Ends:
    """Writes a file and keeps its first and last bytes, from which it is seen whether it can be one of flights.

    The job looks closer. Here it is about the mistakes that are made most, which are better told at once.
    """

    FIRST, LAST = 64 * 1024, 4
    PARQUET = b"PAR1"

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._first = self._last = b""

    def write(self, part: bytes) -> None:
        """Takes more of the file."""
        self._handle.write(part)
        self._first += part[: self.FIRST - len(self._first)]
        self._last = (self._last + part[-self.LAST :])[-self.LAST :]

    def format(self) -> Format:
        """What the file is, by its content. Raises Problem 422 where that is not what it was sent as, or of no use."""
        is_parquet = self._first.startswith(self.PARQUET)
        if not self._first:
            raise _useless("The file is empty.")
        if request.mimetype == CONTENT_TYPES["parquet"] and not is_parquet:
            raise _useless("The file does not begin as Parquet does.")
        if request.mimetype == CONTENT_TYPES["csv"] and is_parquet:
            raise _useless(f"The file is Parquet: send it as {CONTENT_TYPES['parquet']}.")
        if is_parquet:
            if self._last != self.PARQUET:
                raise _useless("The file does not end as Parquet does: was it sent whole?")
            return "parquet"
        self._check_header()
        return "csv"

    def _check_header(self) -> None:
        line, end, _ = self._first.partition(b"\n")
        if not end and len(self._first) == self.FIRST:
            raise _useless(f"The first line, which is the header, is longer than {self.FIRST // 1024} KiB.")
        try:
            names = next(csv.reader([line.decode("utf-8-sig").rstrip("\r")]), [])
        except UnicodeDecodeError as error:
            raise _useless("The header is not UTF-8 text: save the file as CSV in UTF-8.") from error
        except csv.Error:
            return  # names in quotes that hold line breaks, or nonsense: the job will say
        fault = asked.missing_columns([name.strip() for name in names])
        if fault is not None:
            raise _useless(fault)


def _useless(detail: str) -> Problem:
    return Problem(422, "No file of flights", detail)
