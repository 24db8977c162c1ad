"""GET /jobs/{id}/result: the file that a job ended with."""

from collections.abc import Iterator
from typing import IO, Any

from apiflask import APIBlueprint
from flask import Response, request

from backend.api import context, jobs
from backend.api.auth import VIEWER, auth
from backend.api.batches import CONTENT_TYPES
from backend.api.errors import Problem
from backend.store import batches
from backend.store.blobs import Blobs

bp = APIBlueprint("results", __name__, tag="Jobs")
PART_BYTES = 256 * 1024
STALLS_SECONDS = 60  # for a part: who takes nothing more is let go, and with them a thread
FILE: Any = {
    "description": "The file, in the format of the one that was sent",
    "headers": {"Content-Disposition": {"schema": {"type": "string"}, "description": "attachment, with a name"}},
    "content": {
        CONTENT_TYPES["csv"]: {
            "schema": {"type": "string"},
            "example": (
                "id,as_of,lead_time_minutes,probability,band,model_version,error\r\n"
                "2013-04-01.UA.1545.EWR,2013-04-01T04:00:00Z,315,0.2187,medium,1,\r\n"
                "2013-04-01.UA.9999.EWR,2013-04-01T04:00:00Z,,,,,"
                "id: 2013-04-01.UA.9999.EWR is no flight whose schedule is stored\r\n"
            ),
        },
        CONTENT_TYPES["parquet"]: {"schema": {"type": "string", "format": "binary"}},
    },
}


@bp.get("/jobs/<identity>/result")
@bp.auth_required(auth, roles=VIEWER)
@bp.doc(
    responses={
        200: FILE,
        404: "No such job for this account, or it ended without a file, or the file has been deleted",
        409: "The job is not done yet",
    }
)
def get(identity: str) -> Response:
    """Download a result

    What a batch answered: the rows that were sent, in their order, with the columns `as_of`, `lead_time_minutes`,
    `probability`, `band`, `model_version` and `error`, which says why a row has no probability. It is the job owner's,
    and operators may have it. It is safe to open in a spreadsheet: text that would begin a formula has an apostrophe
    before it.
    """
    job = jobs.visible(identity)
    if job["state"] in ("queued", "running"):
        detail = f"The job is {job['state']}: GET /jobs/{identity} says how far it is."
        raise Problem(409, "Not done yet", detail, headers={"Retry-After": "2"})
    name = batches.result_of(job)
    if name is None:
        what = "has no file as its result" if job["state"] == "done" else f"has {_ENDED[job['state']]}"
        raise Problem(404, "No result", f"The job {what}: GET /jobs/{identity} says what became of it.")
    blobs = Blobs(context.get().settings.blobs)
    try:
        handle, length = blobs.open(name), blobs.size(name)
    except FileNotFoundError as error:
        raise Problem(404, "No result", "The file has been deleted, as results are after a while.") from error
    file_format = job["params"]["format"]
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(STALLS_SECONDS)  # until gunicorn waits for the next request
    response = Response(_parts(handle), mimetype=CONTENT_TYPES[file_format])
    response.content_length = length
    response.headers["Content-Disposition"] = f'attachment; filename="risks-{identity}.{file_format}"'
    response.call_on_close(handle.close)
    return response


_ENDED = {"failed": "failed", "cancelled": "been cancelled"}


def _parts(handle: IO[bytes]) -> Iterator[bytes]:
    while part := handle.read(PART_BYTES):
        yield part
