"""GET /problems: what each `type` of problem details means, and what to do about it."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend.api import paging, problems
from backend.api.errors import Problem
from backend.api.problems import Kind

bp = APIBlueprint("kinds", __name__, tag="Problems", url_prefix="/problems")


class KindOfProblem(BaseModel):
    """A kind of problem."""

    type: str = Field(description="what stands in `type`", examples=["/problems/not-json"])
    title: str = Field(examples=["Not JSON"])
    statuses: list[int] = Field(examples=[[400]])
    about: str = Field(description="what it means, or what to do")


class KindsOfProblems(BaseModel):
    """All kinds."""

    items: list[KindOfProblem]
    next: None = Field(default=None, description=paging.NEXT)


def _shown(kind: Kind) -> dict[str, Any]:
    return {"type": kind.type, "title": kind.title, "statuses": list(kind.statuses), "about": kind.about}


@bp.get("")
@bp.output(KindsOfProblems)
def listing() -> dict[str, Any]:
    """List kinds of problems

    Everything that may stand in `type` of an error. The list is whole.
    """
    return {"items": [_shown(kind) for kind in problems.BY_NAME.values()], "next": None}


@bp.get("/<name>")
@bp.output(KindOfProblem)
@bp.doc(responses={404: "No such kind of problem"})
def get(name: str) -> dict[str, Any]:
    """One kind of problem

    What the `type` of an error refers to.
    """
    if name not in problems.BY_NAME:
        raise Problem(404, "No such kind of problem", "No kind of problem has this name: GET /problems lists them.")
    return _shown(problems.BY_NAME[name])
