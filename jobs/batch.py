"""Scores a file that was sent to POST /predictions/batch (a job of the worker). Not a command: `jobs.predict` is."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any

from sqlalchemy import Connection

from backend import clock
from backend.model.bulk import Scorer
from backend.model.serving import Serving
from backend.settings import Settings
from backend.store import batches, jobs, sql
from backend.store.blobs import Blobs
from jobs import scoring
from jobs.files.table import FileRefusedError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(
    settings: Settings,
    params: dict[str, Any],
    progress: Callable[[float, str], None],
    fence: Callable[[Connection], None],
) -> dict[str, Any]:
    """Scores the upload of the job `params["job"]` as of `params["as_of"]`, and returns what became of its rows.

    The result is a file under the fence `params["fence"]`, which has its name only while the claim holds. Raises
    ValueError for a file that cannot be scored, NoChampionError, and RuntimeError where the disk is full.
    """
    job, number, file_format = params["job"], params["fence"], params["format"]
    engine, blobs = sql.open_engine(settings.database_url), Blobs(settings.blobs)
    batches.forget_older_results(blobs, job, number)
    as_of = clock.to_epoch(datetime.fromisoformat(params["as_of"]))
    progress(0.0, "Reading what is known")
    upload, result = batches.upload(job), batches.result(job, number, file_format)
    try:
        with engine.connect() as connection, _opened(blobs, upload) as handle, blobs.writing(result) as target:
            scorer = Scorer.now(connection, Serving(blobs), as_of)
            connection.rollback()

            def done(share: float, rows: int) -> None:
                progress(share, f"{rows:,} rows done")

            with scoring.files(file_format, handle, blobs.size(upload), target) as (source, sink):
                tally = scoring.score_file(connection, scorer, source, sink, done)
            with sql.writing(engine) as writer:
                fence(writer)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise RuntimeError(
            "The server's disk has no room for the result: it is to be made, then send it again."
        ) from error
    finally:
        engine.dispose()
    errors = [{"line": line, "reason": reason} for line, reason in tally.errors]
    return {
        "rows": tally.rows,
        "scored": tally.scored,
        "refused": tally.refused,
        "errors": errors,
        "as_of": params["as_of"],
        "seq": scorer.history.seq,
        "model_version": str(scorer.bundle.version),
        "bytes": blobs.size(result),
    }


def tidy(settings: Settings, params: dict[str, Any]) -> None:
    """Deletes what nobody needs after an attempt, however it went: what was sent, once the job is done; a result that
    is not the job's; everything, once there will be none."""
    engine, blobs, job = sql.open_engine(settings.database_url), Blobs(settings.blobs), params["job"]
    try:
        row = jobs.get(engine, job)
        if row is None or row["state"] in ("failed", "cancelled"):
            batches.forget(blobs, job)
        elif row["fence"] != params["fence"]:
            blobs.delete(batches.result(job, params["fence"], params["format"]))
        elif row["state"] == "done":
            blobs.delete(batches.upload(job))
    finally:
        engine.dispose()


@contextmanager
def _opened(blobs: Blobs, name: str) -> Iterator[IO[bytes]]:
    try:
        handle = blobs.open(name)
    except FileNotFoundError as error:
        raise FileRefusedError("The file that was sent is not there any more: send it again.") from error
    with handle:
        yield handle
