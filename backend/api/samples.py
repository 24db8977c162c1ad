"""Examples for the OpenAPI document, made from its schemas: from each field's own example, or one that fits it.

So no call is without one, and none can say something that its schema does not.
"""

from typing import Any

from backend.api.problems import Kind

PREFIX = "#/components/schemas/"
# What fields of that name hold, where the field itself gives no example.
BY_NAME: dict[str, Any] = {
    "id": "41",
    "flight": 1545,
    "carrier": "UA",
    "carrier_name": "United Air Lines Inc.",
    "origin": "EWR",
    "origin_name": "Newark Liberty Intl",
    "dest": "IAH",
    "dest_name": "George Bush Intercontinental",
    "scheduled_departure": "2013-04-01T09:15:00Z",
    "scheduled_arrival": "2013-04-01T13:09:00Z",
    "scheduled_departure_local": "2013-04-01T05:15:00",
    "scheduled_arrival_local": "2013-04-01T08:09:00",
    "aircraft": "N14228",
    "username": "night.shift",
    "actor": "admin",
    "owner": "admin",
    "account": "0b6b1d8e-7d0c-4d0a-9f57-6d7f0f6a2c11",
    "version": "1",
    "model_version": "1",
    "champion": "1",
    "commit": "4d846dc",
    "probability": 0.31,
    "base_rate": 0.26,
    "auc": 0.78,
    "brier": 0.15,
    "log_loss": 0.47,
    "calibration_error": 0.01,
    "seq": 246_813,
    "next": "wW4x1bFPWyItaWQiLDQxXQ",
    "message": "fitting",
    "month": "2013-04",
}
TIME = "2013-04-01T04:00:00Z"


def add(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Gives each body, answer and part of the path of an operation an example, where it has none."""
    for parameter in operation["parameters"]:  # of those in the query, /docs would fill in each that has one
        if parameter["in"] == "path":
            parameter.setdefault("example", _in_path(operation["operationId"], parameter["name"]))
    contents = list(operation.get("requestBody", {}).get("content", {}).values())
    contents += [each for answer in operation["responses"].values() for each in answer.get("content", {}).values()]
    for content in contents:
        schema = content["schema"] = content.get("schema") or {"type": "object"}
        if "example" not in content and "examples" not in content:
            content["example"] = of(schema, schemas)


def of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """A value that fits a schema: an example of its own, or one that its name or its type suggests."""
    if "$ref" in schema:
        return of(schemas[schema["$ref"].removeprefix(PREFIX)], schemas, name)
    given = [*schema.get("examples", []), schema.get("const"), schema.get("default"), *schema.get("enum", [])]
    if found := [value for value in given if value is not None]:
        return found[0]
    kinds = [kind for key in ("anyOf", "oneOf", "allOf") for kind in schema.get(key, [])]
    if kinds:
        real = [kind for kind in kinds if kind.get("type") != "null"]
        return of(real[0], schemas, name) if real else None
    return _of_type(schema, schemas, name)


def _of_type(schema: dict[str, Any], schemas: dict[str, Any], name: str) -> Any:
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return {field: of(said, schemas, field) for field, said in schema.get("properties", {}).items()}
    if kind == "array":
        if "prefixItems" in schema:
            return [of(item, schemas) for item in schema["prefixItems"]]
        return [of(schema.get("items", {}), schemas, name)]
    known = BY_NAME.get(name)
    if kind == "string":
        return _text(schema, name, known)
    if kind in ("integer", "number"):
        usual = max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
        found = known if isinstance(known, int | float) else usual
        return int(found) if kind == "integer" else min(found, schema.get("maximum", found))
    return {"boolean": False, "null": None}.get(str(kind), {})


def _text(schema: dict[str, Any], name: str, known: Any) -> str:
    times = ("as_of", "at", "from", "until", "since", "clock")
    if isinstance(known, str):
        return known
    if schema.get("format") == "date-time" or name in times or name.endswith(("_at", "_from", "_until", "_since")):
        return TIME
    return "…"


def _in_path(operation_id: str, name: str) -> str | int:
    """What stands in a path in the place of that parameter."""
    for word, example in (("flights", "2013-04-01.UA.1545.EWR"), ("settings", "costs"), ("problems", "not-json")):
        if word in operation_id:
            return example
    if "decisions" in operation_id or name == "version":
        return 1
    return "0b6b1d8e-7d0c-4d0a-9f57-6d7f0f6a2c11"


def problem(kind: Kind, status: int) -> dict[str, Any]:
    """Problem details of that kind."""
    errors: list[dict[str, Any]] = []
    if kind.name == "not-valid":
        errors = [{"parameter": "limit", "reason": "input should be less than or equal to 500"}]
    detail = "limit: input should be less than or equal to 500." if errors else kind.about
    return {"type": kind.type, "title": kind.title, "status": status, "detail": detail, "errors": errors}
