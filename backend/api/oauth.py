"""What OAuth2 asks of POST /token and its neighbour: forms, each parameter once, and errors that name themselves."""

from collections.abc import Mapping, Sequence

from flask import Request

from backend.api import schemas
from backend.api.errors import NOT_VALID, Problem

PARAMETERS: Mapping[str, Sequence[str]] = {"password": ("username", "password"), "refresh_token": ("refresh_token",)}


def problem(error: str, detail: str, status: int = 400, headers: dict[str, str] | None = None) -> Problem:
    """The problem for an `error` of RFC 6749, 5.2, which the body names in a member of that name."""
    titles = {"invalid_grant": "Not granted", "unsupported_grant_type": "No such grant"}
    return Problem(status, titles.get(error, NOT_VALID), detail, headers=headers, error=error)


def require_form(request: Request, *needed: str) -> None:
    """Raises Problem 415 unless the body is a form, and 400 unless it has those parameters, and each one once."""
    schemas.require_form(request)
    for name, values in request.form.lists():
        if len(values) > 1:
            raise problem("invalid_request", f"The form has {len(values)} values for {name}: give one.")
    for name in needed:
        if not request.form.get(name):
            raise problem("invalid_request", f"The form has no {name}.")


def require_grant(request: Request) -> None:
    """Raises Problem unless the form asks for a grant that there is, with what that one needs."""
    require_form(request, "grant_type")
    kind = request.form["grant_type"]
    if kind not in PARAMETERS:
        raise problem("unsupported_grant_type", f"There is no such grant_type: give {' or '.join(PARAMETERS)}.")
    require_form(request, *PARAMETERS[kind])
