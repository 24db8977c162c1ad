"""What bodies look like in common: unknown fields are refused, lists are pages."""

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from flask import Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict
from werkzeug.exceptions import RequestEntityTooLarge

from backend.api.errors import NOT_VALID, Problem, escaped

# RFC 3339, 5.6, and ISO 8601 without seconds.
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})", re.ASCII)


def _time(given: object) -> datetime:
    """The time in a text. Numbers are refused, which pydantic would take as seconds or milliseconds, as is likelier."""
    if isinstance(given, str) and _TIME.fullmatch(given):
        return datetime.fromisoformat(given.upper())
    raise ValueError("is no ISO 8601 time with its zone, like 2013-04-01T09:15:00Z")


def _whole(given: object) -> object:
    """To JSON, 7.0 is the integer 7 (JSON Schema 2020-12, 4.2.3)."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


# For an integer in a body: Annotated[int, …, WHOLE].
WHOLE = BeforeValidator(_whole)

# A time in a request.
Moment = Annotated[AwareDatetime, BeforeValidator(_time)]


class Body(BaseModel):
    """A request's body. A field that it does not name is refused, and so is a value of another type, such as "7"."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """A request's query. A parameter that it does not name is refused."""

    model_config = ConfigDict(extra="forbid")


class JsonRequest(Request):
    """A request whose JSON is JSON and says so; no body at all is an empty one."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The parsed body, None where there is none.

        Raises Problem 415 for another content type, 400 for what is not JSON, and 422 for a text that holds a NUL.
        """
        data = self.get_data(cache=True)
        if not data:
            return None
        # A body without a length is cut off at the limit without a word (werkzeug 3.1, LimitedStream.readall).
        if self.content_length is None and self.max_content_length and len(data) >= self.max_content_length:
            raise RequestEntityTooLarge
        if not self.is_json:
            given = self.mimetype or "no content type"
            raise Problem(415, "Wrong content type", f"This call takes application/json, and got {given}.")
        charset = self.mimetype_params.get("charset", "utf-8")
        if charset.lower() not in ("utf-8", "utf8"):
            raise Problem(415, "Wrong content type", f"JSON is UTF-8 (RFC 8259, 8.1), and this says {charset}.")
        body = _parsed(data)
        if body is None:
            raise Problem(422, NOT_VALID, "The body is null: send an object.", [{"pointer": "", "reason": "is null"}])
        return body


def _parsed(data: bytes) -> Any:
    """The JSON in a body. Raises Problem 400, and 422 where it holds what no field may."""
    try:
        body = json.loads(data.decode(), object_pairs_hook=_object)
        if b"\\ud" in data.lower():
            json.dumps(body, ensure_ascii=False).encode()
    except RecursionError as error:
        raise Problem(400, "Not JSON", "The body is nested too deeply.") from error
    except UnicodeEncodeError as error:
        raise Problem(400, "Not JSON", "The body has half a character: an unpaired \\ud… escape.") from error
    except UnicodeDecodeError as error:
        raise Problem(400, "Not JSON", f"The body is not UTF-8: byte {error.start} is wrong.") from error
    except ValueError as error:
        said = "it has a number of more than 4,300 digits" if "set_int_max_str_digits" in str(error) else error
        raise Problem(400, "Not JSON", f"The body cannot be read as JSON: {said}.") from error
    for mark, title in ((b"\\u0000", "Not a text"), (b"NaN", NOT_VALID), (b"Infinity", NOT_VALID)):
        if mark in data and (places := list(islice(_unfit(body), 10))):
            where = places[0]["pointer"] or "the body"
            raise Problem(422, title, f"{where}: {places[0]['reason']}.", places)
    return body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the name {json.dumps(twice[:80])} twice")
    return made


def _unfit(body: Any) -> Iterator[dict[str, str]]:
    """Where there is a NUL, which no database takes in a text, or a number that JSON does not have.

    Not recursive: a body may be nested as deeply as it can be parsed.
    """
    waiting = [("", body)]
    while waiting:
        pointer, said = waiting.pop()
        if (isinstance(said, str) and "\0" in said) or (isinstance(said, dict) and any("\0" in name for name in said)):
            yield {"pointer": pointer, "reason": "has the character NUL, which no text here may have"}
        if isinstance(said, float) and not math.isfinite(said):
            yield {"pointer": pointer, "reason": "is no finite number"}
        if isinstance(said, dict):
            waiting += [(f"{pointer}/{escaped(name)}", value) for name, value in said.items()]
        elif isinstance(said, list):
            waiting += [(f"{pointer}/{place}", value) for place, value in enumerate(said)]


def require_form(request: Request) -> None:
    """Raises Problem 415 unless the body is a form."""
    if request.mimetype != "application/x-www-form-urlencoded":
        given = request.mimetype or "no content type"
        detail = f"This call takes application/x-www-form-urlencoded, and got {given}."
        raise Problem(415, "Wrong content type", detail)
