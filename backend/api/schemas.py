"""What bodies look like in common: unknown fields are refused, lists are pages."""

import json
import re
from datetime import datetime
from typing import Annotated, Any

from flask import Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from backend.api.errors import Problem

# RFC 3339, 5.6, and ISO 8601 without seconds.
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})", re.ASCII)


def _in_words(given: object) -> object:
    """Refuses numbers, which pydantic would take as seconds or milliseconds, whichever looks likelier."""
    if isinstance(given, datetime) or (isinstance(given, str) and _TIME.fullmatch(given)):
        return given
    raise ValueError("is no ISO 8601 time with its zone, like 2013-04-01T09:15:00Z")


# A time in a request.
Moment = Annotated[AwareDatetime, BeforeValidator(_in_words)]


class Body(BaseModel):
    """A request's body. A field that it does not name is refused."""

    model_config = ConfigDict(extra="forbid")


class Query(BaseModel):
    """A request's query. A parameter that it does not name is refused."""

    model_config = ConfigDict(extra="forbid")


class JsonRequest(Request):
    """A request whose JSON is JSON and says so; no body at all is an empty one."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The parsed body. Raises Problem 415 for another content type and 400 for what is not JSON."""
        data = self.get_data(cache=True)
        if not data:
            return None
        # A body without a length is cut off at the limit without a word (werkzeug 3.1, LimitedStream.readall).
        if self.content_length is None and self.max_content_length and len(data) >= self.max_content_length:
            raise RequestEntityTooLarge
        if not self.is_json:
            given = self.mimetype or "no content type"
            raise Problem(415, "Wrong content type", f"This call takes application/json, and got {given}.")
        try:
            body = super().get_json(force=force, silent=silent, cache=cache)
            if b"\\ud" in data.lower():
                json.dumps(body, ensure_ascii=False).encode()
        except RecursionError as error:
            raise Problem(400, "Not JSON", "The body is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise Problem(400, "Not JSON", "The body has half a character: an unpaired \\ud… escape.") from error
        return body

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Raises Problem 400 with the place of the fault."""
        if isinstance(e, ValueError):
            raise Problem(400, "Not JSON", f"The body cannot be read as JSON: {e}.") from e
        raise BadRequest


def require_form(request: Request) -> None:
    """Raises Problem 415 unless the body is a form."""
    if request.mimetype != "application/x-www-form-urlencoded":
        given = request.mimetype or "no content type"
        detail = f"This call takes application/x-www-form-urlencoded, and got {given}."
        raise Problem(415, "Wrong content type", detail)
