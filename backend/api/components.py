"""Component schemas of the OpenAPI document: one for each model, under the model's own name where that is unique.

APIFlask writes the models inside a model once for each model that they are in.
"""

import json
from typing import Any

PREFIX = "#/components/schemas/"


def merged(spec: dict[str, Any]) -> dict[str, Any]:
    """The document with one component for all that are equal, named by its title."""
    schemas: dict[str, Any] = spec["components"]["schemas"]
    contents = {name: _content(name, schemas, ()) for name in schemas}
    by_title: dict[str, set[str]] = {}
    for name, schema in schemas.items():
        by_title.setdefault(schema.get("title", name), set()).add(contents[name])
    renamed = {
        name: schema["title"]
        for name, schema in schemas.items()
        if "title" in schema and len(by_title[schema["title"]]) == 1
    }
    whole: dict[str, Any] = _with_refs(spec, renamed)
    whole["components"]["schemas"] = {
        renamed.get(name, name): _with_refs(schema, renamed) for name, schema in sorted(schemas.items())
    }
    return whole


def _content(name: str, schemas: dict[str, Any], inside: tuple[str, ...]) -> str:
    """What a schema says, with what it refers to in the place of each reference."""
    if name in inside:
        return name

    def resolved(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return _content(part["$ref"].removeprefix(PREFIX), schemas, (*inside, name))
            return {key: resolved(value) for key, value in part.items()}
        return [resolved(each) for each in part] if isinstance(part, list) else part

    return json.dumps(resolved(schemas[name]), sort_keys=True)


def _with_refs(part: Any, renamed: dict[str, str]) -> Any:
    if isinstance(part, dict):
        return {
            key: PREFIX + renamed.get(value.removeprefix(PREFIX), value.removeprefix(PREFIX))
            if key == "$ref" and isinstance(value, str)
            else _with_refs(value, renamed)
            for key, value in part.items()
        }
    return [_with_refs(each, renamed) for each in part] if isinstance(part, list) else part
