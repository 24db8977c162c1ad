"""What is asked of every request before a handler sees it, whatever the call."""

from apiflask import APIFlask
from flask import Response, current_app, request
from werkzeug.exceptions import NotFound

from backend.api.errors import NOT_VALID, Problem


def register(app: APIFlask) -> None:
    """Lets the app refuse what no call takes."""
    app.before_request(_refuse_compressed)
    app.before_request(_refuse_nul_in_path)
    app.before_request(_check_query)


def _refuse_compressed() -> None:
    """Nothing is ever unpacked, so that a small body cannot become a large one."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        detail = f"The body is to be sent as it is, without Content-Encoding: {encoding[:40]}."
        raise Problem(415, "Compressed", detail, headers={"Accept-Encoding": "identity"})


def _refuse_nul_in_path() -> None:
    """No id has a NUL, and PostgreSQL takes none in a text."""
    if "\0" in request.path:
        raise NotFound


def _check_query() -> Response | None:
    """Each parameter comes once, holds no NUL, and is one that the call takes. Who may not call it is told that first.

    RFC 6749, 3.2 has a token's endpoint ignore the parameters that it does not know.
    """
    if not request.args or request.url_rule is None or request.blueprint in ("swagger_ui", "tokens"):
        return None
    said = getattr(current_app.view_functions[str(request.endpoint)], "_spec", {})
    errors = [
        {"parameter": name, "reason": "is given more than once" if len(values) > 1 else "has the character NUL"}
        for name, values in request.args.lists()
        if len(values) > 1 or "\0" in name + values[0]
    ]
    if not errors and said and not any(where == "query" for _, where, *_ in said.get("args", [])):
        errors = [{"parameter": name, "reason": "there is no such field"} for name in request.args]
    if not errors:
        return None
    if "auth" in said:
        refusal: Response | None = said["auth"].login_required(role=said["roles"])(lambda: None)()
        if refusal is not None:
            return refusal
    first = errors[0]
    raise Problem(422, NOT_VALID, f"{first['parameter'][:80]}: {first['reason']}.", errors[:10])
