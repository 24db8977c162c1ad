"""Every error of the API as problem details (RFC 9457): what was wrong, where, and what is accepted instead."""

import json
import logging
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Response, request
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, ProgrammingError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from backend.api import problems
from backend.store.pages import CursorError
from backend.store.shared import DocumentsError

log = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"
NOT_VALID = "The request is not valid"
# Pydantic's names of bounds, and JSON Schema's.
KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}


class Place(BaseModel):
    """One thing that was wrong, and where."""

    pointer: str | None = Field(default=None, description="where in the body, as a JSON pointer (RFC 6901)")
    parameter: str | None = Field(default=None, description="or which parameter of the query")
    reason: str
    accepted: Any = Field(default=None, description="what may stand there instead, where that is short")


class ProblemDetails(BaseModel):
    """The body of every error (RFC 9457)."""

    type: str = Field(description="which kind of problem, to decide by: GET it to read what it means")
    title: str = Field(description="the kind in words")
    status: int = Field(description="the HTTP status again", ge=400, le=599)
    detail: str = Field(description="a sentence for the person who can act")
    errors: list[Place] = []
    error: str | None = Field(default=None, description="RFC 6749's word for it, at POST /token")


class Problem(Exception):
    """Raised where the fact is known; answered as problem details.

    `detail` is a sentence for the person who can act. Each of `errors` says where (`pointer`, a JSON pointer into the
    body, or `parameter`, a name in the query), the `reason`, and what would be `accepted`. `error` is OAuth2's word.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
        error: str | None = None,
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}
        self.error = error


def answer(problem: Problem) -> Response:
    """The response that says so."""
    body = {
        "type": problems.type_of(problem.title),
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "errors": problem.errors,
    }
    if problem.error is not None:
        body["error"] = problem.error
    return Response(json.dumps(body, default=str), problem.status, problem.headers, content_type=CONTENT_TYPE)


def register(app: APIFlask) -> None:
    """Makes the app answer every error with problem details."""
    app.register_error_handler(Problem, answer)
    app.register_error_handler(HTTPError, _from_apiflask)
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(CursorError, _from_a_cursor)
    app.register_error_handler(OperationalError, _from_the_database)
    app.register_error_handler(ProgrammingError, _from_its_schema)
    app.register_error_handler(DataError, _from_a_value)
    app.register_error_handler(DocumentsError, _from_the_documents)
    app.register_error_handler(Exception, _from_a_fault)


def _from_apiflask(error: HTTPError) -> Response:
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        detail = str(error.message)
        return answer(
            Problem(error.status_code, _title(error.status_code), detail, headers=dict(Headers(error.headers)))
        )
    return answer(not_valid(NOT_VALID, cause, in_body="json" in error.detail or "form" in error.detail))


def not_valid(title: str, error: ValidationError, in_body: bool) -> Problem:
    """The problem 422 that names every place where pydantic found something wrong."""
    places = [_place(found, in_body) for found in error.errors(include_url=False, include_input=False)]
    first = places[0]
    where = first.get("pointer") or first.get("parameter") or "the body"
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    return Problem(422, title, f"{where}: {first['reason']}{more}.", places)


def escaped(step: str) -> str:
    """One step of a JSON pointer (RFC 6901, 3)."""
    return step.replace("~", "~0").replace("/", "~1")


def _place(found: Any, in_body: bool) -> dict[str, Any]:
    """One of pydantic's findings, without the value that was sent: it may be a password."""
    path = [str(step) for step in found["loc"]]
    place: dict[str, Any] = (
        {"pointer": "".join("/" + escaped(step) for step in path)} if in_body else {"parameter": ".".join(path)}
    )
    reason = (
        "there is no such field" if found["type"] == "extra_forbidden" else found["msg"].removeprefix("Value error, ")
    )
    place["reason"] = reason[:1].lower() + reason[1:]
    context = found.get("ctx", {})
    bounds = {KEYWORDS[name]: value for name, value in context.items() if name in KEYWORDS}
    accepted = context.get("expected", bounds or None)
    return place if accepted is None else {**place, "accepted": accepted}


def _from_werkzeug(error: HTTPException) -> Response:
    status = error.code or 500
    dropped = ("content-type", "content-length")
    headers = {name: value for name, value in error.get_headers() if name.lower() not in dropped}
    return answer(Problem(status, _title(status), _detail(error, status), headers=headers))


def _detail(error: HTTPException, status: int) -> str:
    if status == 404:
        return f"There is nothing at {request.path}: /docs lists what there is."
    if status == 413:
        return "The body is larger than 2 MiB: send it in parts."
    if isinstance(error, MethodNotAllowed):
        accepted = ", ".join(sorted(error.valid_methods or []))
        return f"{request.method} is not for {request.path}, which accepts {accepted}."
    return error.description or _title(status)


def _from_a_cursor(error: CursorError) -> Response:
    place = {"parameter": "cursor", "reason": str(error)}
    return answer(Problem(422, "Not a cursor", f"cursor {error}.", [place]))


def _from_a_fault(error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    detail = "The fault is on the server's side and is in its log. Try again; if it stays, tell who runs this server."
    return answer(Problem(500, "Something went wrong", detail))


def _from_its_schema(error: ProgrammingError) -> Response:
    """PostgreSQL says so where a table or a column is missing; any other statement that it cannot read is our fault."""
    if getattr(error.orig, "sqlstate", None) in ("42P01", "42703"):
        return _from_the_database(error)
    return _from_a_fault(error)


def _from_a_value(_: DataError) -> Response:
    """PostgreSQL takes no NUL in a text. What it was part of is not repeated."""
    reason = "a text in it has a character that cannot be stored (NUL), or a number is too large"
    return answer(Problem(422, "Not a text", f"The request cannot be used: {reason}."))


def _from_the_database(error: DBAPIError) -> Response:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    detail = "The database cannot be used at this moment: GET /health/ready says what is missing."
    return answer(Problem(503, "No database", detail, headers={"Retry-After": "5"}))


def _from_the_documents(error: DocumentsError) -> Response:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    detail = "Accounts and settings cannot be read or changed at this moment: GET /health/ready says what is missing."
    return answer(Problem(503, "No documents", detail, headers={"Retry-After": "5"}))


def _title(status: int) -> str:
    return problems.OF_STATUS[status].title if status in problems.OF_STATUS else HTTPStatus(status).phrase
