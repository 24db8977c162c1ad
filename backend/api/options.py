"""/settings: what may be changed while it runs, by name."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend import options
from backend.api import context, paging
from backend.api.auth import ADMIN, FEEDER, OPERATOR, VIEWER, auth, current_account
from backend.api.errors import Problem, not_valid
from backend.options import Options
from backend.store import events as log
from backend.store import ledger, sql

bp = APIBlueprint("options", __name__, tag="Settings", url_prefix="/settings")

REPLAY = "replay"  # whose settings feeders may read and operators may change


class Values(BaseModel):
    """Values by name."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"false_alarm": 1, "miss": 4}]})


class Group(BaseModel):
    """A group of settings as it stands."""

    name: str = Field(examples=list(options.GROUPS))
    values: dict[str, Any]
    about: str
    fields: dict[str, Any] = Field(description="JSON Schema of the values: bounds and defaults")


class Groups(BaseModel):
    """All groups."""

    items: list[Group]
    next: None = Field(default=None, description=paging.NEXT)


def _shown(name: str) -> dict[str, Any]:
    group = options.GROUPS[name]
    values = options.read(context.get().documents, name).model_dump()
    fields = group.model_json_schema()["properties"]
    return {"name": name, "values": values, "about": (group.__doc__ or "").strip(), "fields": fields}


def _group(name: str) -> type[Options]:
    if name not in options.GROUPS:
        raise Problem(404, "No such settings", f"There are settings named {', '.join(options.GROUPS)}.")
    return options.GROUPS[name]


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.output(Groups)
def listing() -> dict[str, Any]:
    """List settings

    Every group with its values, its bounds and its defaults. The list is whole.
    """
    return {"items": [_shown(name) for name in options.GROUPS], "next": None}


@bp.get("/<name>")
@bp.auth_required(auth, roles=[*VIEWER, *FEEDER])
@bp.output(Group)
def get(name: str) -> dict[str, Any]:
    """One group of settings

    Its values as they hold now, with their bounds and defaults. A feeder may read those of the replay.
    """
    _group(name)
    if current_account().role in FEEDER and name != REPLAY:
        raise Problem(403, "Not for this role", f"A feeder may read the settings of the {REPLAY} alone.")
    return _shown(name)


@bp.put("/<name>")
@bp.auth_required(auth, roles=OPERATOR)
@bp.input(Values, arg_name="values")
@bp.output(Group)
@bp.doc(responses={404: "No such settings"})
def put(name: str, values: Values) -> dict[str, Any]:
    """Change settings

    The body holds the values by name; one that is left out has its default. In force at once, in every process; what
    changed and who changed it stands in the ledger. An operator may change those of the replay, an admin all.
    """
    here, group = context.get(), _group(name)
    if current_account().role not in ADMIN and name != REPLAY:
        raise Problem(403, "Not for this role", f"An operator may change the settings of the {REPLAY} alone.")
    try:
        new = group.model_validate(values.model_dump())
    except ValidationError as error:
        raise not_valid("Not settings of this group", error, in_body=True) from error
    with here.documents.writing(), sql.writing(here.engine) as connection:
        before = options.read(here.documents, name).model_dump()
        after = new.model_dump()
        changed = {field: [before[field], after[field]] for field in after if before[field] != after[field]}
        if changed:
            who = current_account().username
            summary = f"{who} changed {name}: " + ", ".join(f"{f} {a} → {b}" for f, (a, b) in changed.items())
            evidence = {"name": name, "before": before, "after": after}
            ledger.decide(connection, "configured", here.now(), log.data_clock(connection), who, summary, evidence)
            options.write(here.documents, name, new)
    return _shown(name)
