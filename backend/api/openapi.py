"""What /openapi.json says beyond the handlers' own words, and the page at /docs, which needs nothing from outside."""

from collections.abc import Iterator
from typing import Any

from apiflask import APIFlask
from flask_swagger_ui import get_swaggerui_blueprint  # type: ignore[import-untyped]
from pydantic.json_schema import models_json_schema

from backend.api import components, problems, samples
from backend.api.errors import CONTENT_TYPE, ProblemDetails

DESCRIPTION = """Will this flight be disrupted: 15 minutes late or more, diverted or cancelled?

Log in with HTTP Basic, or send a token from `POST /token` as `Authorization: Bearer …`. `x-roles` of an operation are
the roles that may call it; `everybody` needs no account. Every error is a problem details document (RFC 9457) whose
`type` says which kind it is: `GET /problems` lists them. Every list is `{"items": […], "next": cursor or null}`, and
takes `sort`, `limit` and `cursor`. Times are ISO 8601 in UTC. GET has a HEAD, and a trailing slash changes nothing."""
EVERYBODY = ["everybody"]
NEED_NOTHING = ("get_health_live", "get_problems", "get_problems_name")  # neither the database nor a password check
OF_EVERY_CALL = {
    "415": "The body is compressed, or has another content type",
    "422": "The request is not valid: `errors` names each place",
}
OF_EVERY_BODY = {"400": "The body is not JSON", "413": "The body is too large"}
OF_EVERY_ROLE = {
    "401": "Not logged in, or the token is over",
    "403": "The account's role may not do this",
    "429": "Too many logins from this address have failed, or the account asks too often: `Retry-After` says when",
    "503": "Something that it takes is busy or cannot be had: `Retry-After` says when to try again",
}
# What stands in the example of an error, where its own description is no title of a kind.
USUAL_KINDS = {
    "400": "not-json",
    "401": "not-logged-in",
    "403": "not-for-this-role",
    "404": "nothing-here",
    "408": "too-slow",
    "409": "not-changed",
    "413": "too-large",
    "415": "wrong-content-type",
    "422": "not-valid",
    "429": "too-many-failed-logins",
    "503": "busy",
    "507": "no-room",
}
HEADERS: dict[str, dict[str, str]] = {
    "201": {"Location": "where what was made is"},
    "202": {"Location": "where to watch the job"},
    "401": {"WWW-Authenticate": "how to log in"},
    "429": {"Retry-After": "seconds to wait"},
    "503": {"Retry-After": "seconds to wait, where that is known"},
}
# What a handler that reads its body itself says of it (bp.doc(extensions=...)): APIFlask knows only what it reads.
REQUEST_BODY = "x-request-body"


def register(app: APIFlask) -> None:
    """Adds the specification's last words and the page that shows it."""
    app.description = DESCRIPTION
    app.servers = [{"url": "/"}]
    app.spec_processor(finish)  # type: ignore[arg-type]
    page = get_swaggerui_blueprint(
        "/docs", "/openapi.json", config={"app_name": "Pushback API", "layout": "BaseLayout", "validatorUrl": None}
    )
    app.register_blueprint(page)


def finish(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification with what all calls have in common: errors, roles, stable names, examples."""
    schemas = spec["components"]["schemas"]
    schemas.pop("HTTPError", None)
    schemas.pop("ValidationError", None)
    _, made = models_json_schema([(ProblemDetails, "serialization")], ref_template="#/components/schemas/{model}")
    schemas.update(made["$defs"])
    spec["tags"] = [{"name": name} for name in dict.fromkeys(tag["name"] for tag in spec["tags"])]
    spec["paths"] = {path.replace("{identity}", "{id}"): calls for path, calls in spec["paths"].items()}
    for path, method, operation in operations(spec):
        operation["operationId"] = _name(path, method)
        _add_security(operation)
        _add_parameters(operation)
        _add_body(operation, schemas)
        _add_errors(operation, method)
    spec = components.merged(spec)
    for _, _, operation in operations(spec):
        samples.add(operation, spec["components"]["schemas"])
    return spec


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation: (path, method, operation)."""
    for path, calls in spec["paths"].items():
        for method, operation in calls.items():
            yield path, method, operation


def _name(path: str, method: str) -> str:
    """The operationId: made from the path and not from the code, so that it stays when the code moves."""
    words = path.replace("{", "").replace("}", "").replace("-", "_").split("/")
    return "_".join([method, *filter(None, words)])


def _add_security(operation: dict[str, Any]) -> None:
    """The roles that may call it, and an empty list of requirements where everybody may."""
    said = operation.setdefault("security", [])
    roles = [role for requirement in said for roles in requirement.values() for role in roles]
    operation["x-roles"] = list(dict.fromkeys(roles)) or EVERYBODY
    if said and not roles:  # it may be sent without a token too, as the body says
        operation["security"] = [{}, *said]


def _add_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation["parameters"]:
        if parameter["name"] == "identity":
            parameter["name"] = "id"
        schema = parameter["schema"]
        kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
        if kinds:  # a query has no null: the parameter is left out
            schema.update(kinds[0])
        if schema.get("default", 0) is None:
            del schema["default"]
        if schema.get("type") == "string" and not {"enum", "format", "pattern"} & schema.keys():
            schema["pattern"] = "^[^\\u0000]*$"
        if "description" in schema:
            parameter["description"] = schema.pop("description")


def _add_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    if REQUEST_BODY in operation:
        operation["requestBody"] = operation.pop(REQUEST_BODY)
        return
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = schemas.get(content["schema"].get("$ref", "").rpartition("/")[2], {})
        operation["requestBody"]["required"] = bool(schema.get("required"))


def _add_errors(operation: dict[str, Any], method: str) -> None:
    responses = operation["responses"]
    common = OF_EVERY_CALL | (OF_EVERY_BODY if "requestBody" in operation else {})
    if operation["x-roles"] != EVERYBODY:
        responses |= {
            status: {"description": said} for status, said in OF_EVERY_ROLE.items() if status in ("401", "403")
        }
        common = common | OF_EVERY_ROLE
    elif operation["operationId"] not in NEED_NOTHING:
        common = common | {"503": OF_EVERY_ROLE["503"]}
    if method != "get":
        common = {"403": "A page of another origin sends it"} | common
    for status, said in common.items():
        responses.setdefault(status, {"description": said})
    for status, response in responses.items():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
        if status[0] not in "45" or schema.rpartition("/")[2] not in ("", "HTTPError", "ValidationError"):
            continue
        if response["description"] in ("Validation error", "Authentication error", "Not found"):
            response["description"] = {**common, "404": "There is none"}.get(status, response["description"])
        kind = problems.BY_TITLE.get(response["description"]) or problems.BY_NAME[USUAL_KINDS[status]]
        shown = samples.problem(kind, int(status))
        response["content"] = {
            CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}, "example": shown}
        }
    for status, response in responses.items():
        if status == "201" and operation["x-roles"] == EVERYBODY:  # a session has no address: its id is a secret
            continue
        for name, about in HEADERS.get(status, {}).items():
            response.setdefault("headers", {})[name] = {"description": about, "schema": {"type": "string"}}
    operation["responses"] = dict(sorted(responses.items()))
