"""What gunicorn answers by itself to what is no HTTP, as problem details too: it would be a page of HTML."""

import json
from http import HTTPStatus
from typing import Any

from gunicorn import util

from backend.api import problems
from backend.api.errors import CONTENT_TYPE


def install() -> None:
    """Lets gunicorn in this process speak like the API. It has no setting for this (26.2, workers/base.py)."""
    util.write_error = _write


def _write(client: Any, status: int, _reason: str, message: str) -> None:
    """Answers a request that never became one; the connection ends after it."""
    if status == 400:
        kind = problems.BY_NAME["bad-request"]
        said = {"type": kind.type, "title": kind.title}
    else:
        said = {"type": "about:blank", "title": HTTPStatus(status).phrase}
    detail = message[:200] or "The fault is on the server's side and is in its log."
    body = json.dumps({**said, "status": status, "detail": detail, "errors": []}).encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\nContent-Type: {CONTENT_TYPE}\r\n"
    safe = "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
    util.write_nonblock(client, f"{head}{safe}Content-Length: {len(body)}\r\n\r\n".encode() + body)
