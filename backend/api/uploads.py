"""Bodies that are too large for memory: taken off the connection in parts, within bounds of bytes and of time.

Any other body is read whole before the handler (backend/app.py), which is why it may have 2 MiB at most.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import current_app, g, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from backend.api.errors import Problem

MOST_BYTES = 200 * 1024 * 1024
FRAME_BYTES = 64 * 1024  # what multipart/form-data may have beside its file
PART_BYTES = 64 * 1024
TAKES_SECONDS = 900  # the whole of a body
STALLS_SECONDS = 30  # from one piece to the next
DRAIN_SECONDS = 5  # a body that nobody wants: who sends it is to see why
AT_ONCE = 2  # uploads in one process: its other threads answer everybody else

_slots = threading.BoundedSemaphore(AT_ONCE)
_MULTIPART = "multipart/form-data"
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")  # RFC 2046, 5.1.1
Write = Callable[[bytes], Any]


def streamed(view: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a handler that reads its body itself."""
    view.reads_its_body = True  # type: ignore[attr-defined]
    return view


def is_streamed() -> bool:
    """Whether this request's handler does."""
    return getattr(current_app.view_functions.get(request.endpoint or ""), "reads_its_body", False)


@contextmanager
def slot() -> Iterator[None]:
    """A place among the few uploads that one process takes at a time. Raises Problem 503."""
    if not _slots.acquire(timeout=1):
        detail = f"This server takes {AT_ONCE} files at a time, and so many are being sent: try again."
        raise Problem(503, "Busy", detail, headers={"Retry-After": "10"})
    try:
        yield
    finally:
        _slots.release()


def check(accepted: tuple[str, ...]) -> None:
    """Raises Problem 415 unless the body is one of those content types, or a form that holds a file, and 413 where it
    says that it is too long."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype not in (*accepted, _MULTIPART) or charset not in ("utf-8", "utf8", "us-ascii"):
        given = request.content_type or "no content type"
        detail = f"This call takes {', '.join(accepted)} or {_MULTIPART} with one file, and got {given[:100]}."
        raise Problem(415, "Wrong content type", detail)
    if request.mimetype == _MULTIPART and not _BOUNDARY.fullmatch(request.mimetype_params.get("boundary", "")):
        raise Problem(415, "Wrong content type", f"{_MULTIPART} needs a boundary: clients that make forms add it.")
    if (request.content_length or 0) > MOST_BYTES + FRAME_BYTES:
        raise _too_large()


def receive(write: Write) -> int:
    """Hands the file in the body to `write` in parts and returns how many bytes it has. To be called after `check`.

    Raises Problem 400 where it breaks off, 408 where it is too slow, 413 where it is too long, 422 where a form holds
    anything but one file; and what `write` raises.
    """
    taken = 0

    def count(part: bytes) -> None:
        nonlocal taken
        taken += len(part)
        if taken > MOST_BYTES:
            raise _too_large()
        write(part)

    form = _Form(request.mimetype_params["boundary"], count) if request.mimetype == _MULTIPART else None
    take = count if form is None else form.take
    for part in _parts(MOST_BYTES + FRAME_BYTES, TAKES_SECONDS, STALLS_SECONDS):
        take(part)
    if form is not None:
        form.end()
    return taken


def drain() -> None:
    """Takes what is left of a body off the connection, so that who sends it comes to read the answer: a server that
    ends a connection with bytes in it takes its answer back. After some seconds it ends it all the same."""
    if g.get("body_is_read"):
        return
    try:
        for _ in _parts(max(MOST_BYTES, request.content_length or 0), DRAIN_SECONDS, DRAIN_SECONDS):
            pass
    except Problem:
        g.body_is_read = True  # as far as it goes


def _parts(most: int, takes_seconds: int, stalls_seconds: int) -> Iterator[bytes]:
    request.max_content_length = most
    missing = request.content_length or 0
    with _within(takes_seconds, stalls_seconds) as late:
        while True:
            try:
                part = request.stream.read(PART_BYTES)
            except RequestEntityTooLarge as error:
                raise _too_large() from error
            except (OSError, ClientDisconnected) as error:
                g.body_is_read = True  # nothing more can be
                if late.is_set() or isinstance(error.__context__ or error, TimeoutError):
                    raise Problem(408, "Too slow", "The file came too slowly, or stopped: send it again.") from error
                raise _broken_off() from error
            if not part:
                g.body_is_read = True
                if missing > 0:  # gunicorn ends a body without a word where its sender goes away
                    raise _broken_off()
                return
            missing -= len(part)
            yield part


@contextmanager
def _within(takes_seconds: int, stalls_seconds: int) -> Iterator[threading.Event]:
    """Ends what is read from the connection when it takes too long, and sets the event then. A connection that a test
    has instead of gunicorn's has no end to its patience."""
    late, connection = threading.Event(), request.environ.get("gunicorn.socket")
    if connection is None:
        yield late
        return

    changing, over = threading.Lock(), False

    def give_up() -> None:
        with changing:
            if not over:
                late.set()
                connection.settimeout(0.01)  # from the next piece on

    timer = threading.Timer(takes_seconds, give_up)
    timer.daemon = True
    timer.start()
    connection.settimeout(stalls_seconds)
    try:
        yield late
    finally:
        timer.cancel()
        with changing:
            over = True
            connection.settimeout(None)


def _too_large() -> Problem:
    return Problem(413, "Too large", f"The file is larger than {MOST_BYTES // 1024**2} MiB: send it in parts.")


def _broken_off() -> Problem:
    return Problem(400, "Broken off", "The file broke off before its end: send it again.")


class _Form:
    """multipart/form-data (RFC 7578) that holds one file and nothing else."""

    def __init__(self, boundary: str, write: Write) -> None:
        self._decoder = MultipartDecoder(boundary.encode(), PART_BYTES + FRAME_BYTES)
        self._write = write
        self._files = 0

    def take(self, part: bytes | None) -> None:
        """More of the body; None at its end."""
        try:
            self._decoder.receive_data(part)
            while not isinstance(event := self._decoder.next_event(), NeedData):
                if isinstance(event, Data):
                    self._write(event.data)
                elif isinstance(event, File):
                    self._files += 1
                    if self._files > 1:
                        raise _form("holds more than one file")
                elif isinstance(event, Field):
                    raise _form("holds a field that is no file: as_of belongs into the query")
                elif isinstance(event, Epilogue):
                    return
        except RequestEntityTooLarge as error:
            raise _form("has too much beside its file") from error
        except ValueError as error:
            raise _form("is not written as RFC 7578 says, or breaks off") from error

    def end(self) -> None:
        """The body is over. Raises Problem 422 where there was no file."""
        self.take(None)
        if not self._files:
            raise _form("holds no file")


def _form(fault: str) -> Problem:
    return Problem(422, "Not one file", f"The form {fault}: send one file, as `curl -F file=@FLIGHTS.csv` does.")
