"""Where the files of a batch are: everything of one job in one folder, so that it goes when the job goes.

A result carries the fence of the worker that wrote it, so that a worker which lost the job (see jobs.py) cannot put
its file in place of the winner's. The job's row, which only the holder of the newest fence can end, says which counts.
"""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Engine, select

from backend.store import jobs, sql
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


def sweep(engine: Engine, blobs: Blobs, untouched_since: int, ended_since: int) -> int:
    """Deletes the files that were last changed before `untouched_since` (epoch seconds) and belong neither to a job
    that has not ended nor to one that was done after `ended_since`. Returns of how many jobs.

    An upload whose process was killed has no job, and a job whose worker died too often ended without a word.
    """
    changed: dict[str, float] = {}
    for name, at in blobs.below("batches").items():
        job = name.split("/")[1]
        changed[job] = max(at, changed.get(job, 0.0))
    said = sql.jobs.c
    needed = said.state.in_(jobs.UNFINISHED) | ((said.state == "done") & (said.ended_at >= ended_since))
    with engine.connect() as connection:
        kept = set(connection.scalars(select(said.id).where(said.kind == KIND, needed)))
    old = [job for job, at in changed.items() if at < untouched_since and job not in kept]
    for job in old:
        forget(blobs, job)
    return len(old)
