"""Where the files of a batch are: everything of one job in one folder, so that it goes when the job goes.

A result carries the fence of the worker that wrote it, so that a worker which lost the job (see jobs.py) cannot put
its file in place of the winner's. The job's row, which only the holder of the newest fence can end, says which counts.
"""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Engine, select

from backend.store import sql
from backend.store.blobs import Blobs

KIND = "batch"
Format = Literal["csv", "parquet"]


def folder(job: str) -> str:
    """Where everything of that job is."""
    return f"batches/{job}"


def upload(job: str) -> str:
    """The name of what was sent."""
    return f"{folder(job)}/upload"


def result(job: str, fence: int, file_format: str) -> str:
    """The name of what the holder of that fence answered."""
    return f"{folder(job)}/result-{fence}.{file_format}"


def result_of(job: Mapping[str, Any]) -> str | None:
    """The name of the file that a job (its columns by name) ended with; None where it is not done, or of a kind that
    ends with no file."""
    if job["kind"] != KIND or job["state"] != "done":
        return None
    return result(job["id"], job["fence"], job["params"]["format"])


def forget(blobs: Blobs, job: str) -> None:
    """Deletes what was sent and what was answered: the job was cancelled, or its row goes. Any job may be named."""
    blobs.delete(folder(job))


def forget_older_results(blobs: Blobs, job: str, fence: int) -> None:
    """Deletes what workers that had the job before that fence have left behind when they were killed."""
    for name in blobs.below(folder(job)):
        words = name.rsplit("/", 1)[1].split(".")[0].split("-")
        if words[0] == "result" and int(words[1]) < fence:
            blobs.delete(name)


def sweep(engine: Engine, blobs: Blobs, before: int) -> int:
    """Deletes the files that were last changed before then (epoch seconds) and that belong to no job which needs them:
    an upload whose process was killed has none, and a job whose worker died too often ended without a word.

    Returns of how many.
    """
    old = {name.split("/")[1] for name, changed in blobs.below("batches").items() if changed < before}
    needed = sql.jobs.c.state.in_(["queued", "running", "done"])
    with engine.connect() as connection:
        kept = set(connection.scalars(select(sql.jobs.c.id).where(sql.jobs.c.kind == KIND, needed)))
    for job in old - kept:
        forget(blobs, job)
    return len(old - kept)
