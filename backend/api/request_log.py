"""One line of the log for each request, and the id by which a caller and the log speak of the same one."""

import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, Response, g, request

from backend.monitoring import logs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(logs.REQUESTS)
HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOTE = "pushback.note"


class _Note(NamedTuple):
    """What the log says of a request that only the application knows; `streamed`: the body is made while it is sent."""

    rule: str | None = None
    account: str | None = None
    streamed: bool = False


_NOTHING = _Note()


def register(app: Flask) -> None:
    """Puts the log around the whole application, so that a request has its line however it ends."""
    app.after_request(_note)
    app.wsgi_app = RequestLog(app.wsgi_app)  # type: ignore[method-assign]


def _note(response: Response) -> Response:
    """Notes for the log what is known only inside the application."""
    rule = request.url_rule
    request.environ[_NOTE] = _Note(
        None if rule is None else rule.rule,
        g.get("asking"),
        response.is_streamed,
    )
    return response


class RequestLog:
    """WSGI middleware. The caller's `X-Request-ID` is kept where it is one; otherwise one is made. It is in the answer,
    and in every line that is logged until the answer has been made, and sent where it is made while it is sent."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answers a request."""
        started = perf_counter()
        identity = environ.get("HTTP_X_REQUEST_ID", "")
        if not SANE.fullmatch(identity):
            identity = secrets.token_hex(8)
        logs.request_id.set(identity)
        status = 500

        def start(line: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            nonlocal status
            status = int(line[:3])
            headers.append((HEADER, identity))
            return start_response(line, headers, *more)

        def finish() -> None:
            note = environ.get(_NOTE, _NOTHING)
            method = environ["REQUEST_METHOD"]
            logger.info(
                "%s %s %d",
                method,
                note.rule,
                status,
                extra={
                    "method": method,
                    "rule": note.rule,
                    "status": status,
                    "account": note.account,
                    "milliseconds": round((perf_counter() - started) * 1000, 2),
                },
            )
            logs.request_id.set(None)

        try:
            body = self._application(environ, start)
        except BaseException:
            finish()
            raise
        if environ.get(_NOTE, _NOTHING).streamed:
            return _Answer(body, finish)
        finish()
        return body


class _Answer:
    """An answer's body, and what is to be done once it has been sent or given up."""

    def __init__(self, body: Iterable[bytes], finish: Callable[[], None]) -> None:
        self._body = body
        self._finish = finish

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """WSGI servers call this once, at the end."""
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._finish()
