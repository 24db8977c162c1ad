"""What /openapi.json says beyond the handlers' own words, and the page at /docs, which needs nothing from outside."""

from typing import Any

from apiflask import APIFlask
from flask_swagger_ui import get_swaggerui_blueprint  # type: ignore[import-untyped]
from pydantic.json_schema import models_json_schema

from backend.api.errors import CONTENT_TYPE, ProblemDetails

DESCRIPTION = """Will this flight be disrupted: 15 minutes late or more, diverted or cancelled?

Log in with HTTP Basic, or send a token from `POST /token` as `Authorization: Bearer …`. Every error is a problem
details document (RFC 9457). Every list is `{"items": […], "next": cursor or null}`. Times are ISO 8601 in UTC."""
OF_EVERY_BODY = {
    "400": "The body is not JSON",
    "413": "The body is larger than 2 MiB",
    "415": "The body has another content type",
}
# What a handler that reads its body itself says of it (bp.doc(extensions=...)): APIFlask knows only what it reads.
REQUEST_BODY = "x-request-body"
WITHOUT_ROLE = "The account's role may not do this"
TOO_OFTEN = "Too many logins from this address have failed, or the account asks too often: `Retry-After` says when"
BUSY = "Too many passwords are being checked: try again, or use a token"


def register(app: APIFlask) -> None:
    """Adds the specification's last words and the page that shows it."""
    app.description = DESCRIPTION
    app.spec_processor(finish)  # type: ignore[arg-type]
    page = get_swaggerui_blueprint(
        "/docs", "/openapi.json", config={"app_name": "Pushback API", "layout": "BaseLayout", "validatorUrl": None}
    )
    app.register_blueprint(page)


def finish(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification with every error as problem details, and with the errors that every such call may answer."""
    schemas = spec["components"]["schemas"]
    schemas.pop("HTTPError", None)
    schemas.pop("ValidationError", None)
    _, made = models_json_schema([(ProblemDetails, "serialization")], ref_template="#/components/schemas/{model}")
    schemas.update(made["$defs"])
    for path in spec["paths"].values():
        for operation in path.values():
            _finish_operation(operation)
    return spec


def _finish_operation(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if REQUEST_BODY in operation:
        operation["requestBody"] = operation.pop(REQUEST_BODY)
    if "requestBody" in operation:
        for status, description in OF_EVERY_BODY.items():
            responses.setdefault(status, {"description": description})
    if operation.get("security"):
        responses["403"] = {"description": WITHOUT_ROLE}
        responses.setdefault("429", {"description": TOO_OFTEN})
        responses.setdefault("503", {"description": BUSY})
    for status, response in responses.items():
        said = response.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
        if status[0] in "45" and (not said or said.rsplit("/", 1)[1] in ("HTTPError", "ValidationError")):
            response["content"] = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
