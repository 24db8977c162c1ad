"""What a process says while it works: one line of JSON for each event, with the id of the request that it belongs to.

A line has `time`, `level`, `logger`, `message`, `part` and `process`, `request_id` inside a request, `exception` where
there was one, and what else the call gave as `extra`. What looks like a password, a token or a query is masked.
"""

import json
import logging
import re
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any

from backend.monitoring.log_file import RotatedFile

MOST_BYTES = 16 << 20  # of one file
OLDER_FILES = 4
REQUESTS = "pushback.requests"  # the logger of the one line a request
ACCESS = "pushback.access"  # the logger of decisions about access

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_IN_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MASK = "***"
_SECRET_FIELDS = frozenset({"authorization", "cookie", "password", "secret"})
_SECRETS = re.compile(
    r"""(?ix)
    (?P<before> \b(?:bearer|basic)\s+ | (?<=[\w/])\? | :// (?=[^\s/:@]*:[^\s/@]+@)
        | \b(?:password|secret|token|ticket|session|authorization|cookie)(?:=|["']\s*:\s*["']) )
      (?P<secret> (?<=\s)[\w.~+/=-]{8,} | (?<=\?)[^\s"']*=[^\s"']* | (?<=://)[^\s/@]+ | (?<=[="'])[^\s"'&,}]+ )
    | \beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?
    """
)
_WORDS = ("bearer", "basic", "?", "://", "eyj", "password", "secret", "token", "ticket", "session", "authori", "cookie")
_encode = json.JSONEncoder(default=str, separators=(",", ":"), allow_nan=False).encode


def masked(text: str) -> str:
    """The text without what looks like credentials, a JWT, the query of a URL, or the account in one."""
    return _SECRETS.sub(lambda found: (found["before"] or "") + _MASK, text)


class JsonLines(logging.Formatter):
    """Makes a record one line of JSON. `part` says which part of Pushback speaks."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part
        self._second = (0, "")

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": self._time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "part": self._part,
            "process": record.process,
        }
        request = request_id.get()
        if request is not None:
            line["request_id"] = request
        line |= {name: value for name, value in vars(record).items() if name not in _IN_EVERY_RECORD}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        text = _text(line)
        if record.name == REQUESTS or not _may_hold_a_secret(text):  # a request's line has no words but ours
            return text
        return _text({name: _clean(name, value) for name, value in line.items()})

    def _time(self, record: logging.LogRecord) -> str:
        second, text = self._second
        if second != int(record.created):
            second = int(record.created)
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        return f"{text}.{int(record.msecs):03d}Z"


def _text(line: dict[str, Any]) -> str:
    try:
        return _encode(line)
    except (TypeError, ValueError):  # not a number, or keys that are no text
        return _encode({name: value if isinstance(value, str | int) else str(value) for name, value in line.items()})


def _may_hold_a_secret(text: str) -> bool:
    """Quick, and right wherever `_SECRETS` or `_SECRET_FIELDS` would find something."""
    text = text.lower()
    return any(word in text for word in _WORDS)


def _clean(name: str, value: Any) -> Any:
    if name.lower() in _SECRET_FIELDS:
        return _MASK
    if isinstance(value, dict):
        return {key: _clean(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", each) for each in value]
    return masked(value) if isinstance(value, str) else value


class ToFile(logging.Handler):
    """Writes lines to a file that is rotated, and to stderr what it has no room for."""

    def __init__(self, file: RotatedFile) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        line = self.format(record)
        try:
            self._file.write(line.encode() + b"\n")
        except OSError:
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()
        super().close()


def start(part: str, level: str, folder: Path | None) -> None:
    """Lets this process log as that part, from that level on: to stderr, and where a folder is given to `PART.jsonl` in
    it, which its processes share; stderr then gets only what somebody should look at."""
    form = JsonLines(part)
    on_stderr = logging.StreamHandler(sys.stderr)
    handlers: list[logging.Handler] = [on_stderr]
    if folder is not None:
        on_stderr.setLevel(logging.WARNING)
        handlers.append(ToFile(RotatedFile(folder / f"{part}.jsonl", MOST_BYTES, OLDER_FILES)))
    for handler in handlers:
        handler.setFormatter(form)
    logging.basicConfig(level=level, handlers=handlers, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it introduces itself at each start
    logging.captureWarnings(True)
    sys.excepthook = _log_the_end
    threading.excepthook = lambda died: _log_the_end(died.exc_type, died.exc_value, died.exc_traceback)


def _log_the_end(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt) or error is None:
        sys.__excepthook__(kind, error or kind(), where)
    else:
        logging.getLogger("pushback").critical("ended by %s", kind.__name__, exc_info=(kind, error, where))
