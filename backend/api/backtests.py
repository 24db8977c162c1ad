"""POST /backtests: history replayed under retraining policies, as a job."""

import hashlib
from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import url_for
from pydantic import AfterValidator, Field, field_validator

from backend.api import context, schemas
from backend.api.auth import OPERATOR, auth, current_account
from backend.api.errors import Problem
from backend.api.jobs import Job, as_json
from backend.api.quotas import costly
from backend.model import policies
from backend.store import jobs

bp = APIBlueprint("backtests", __name__, tag="Policies")

POLICY = "^(never|monthly|window:[1-9][0-9]{0,3}d|drift|performance|evidence(:refit)?)$"  # as policies.parse has it
MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"


def _policy(name: str) -> str:
    return policies.parse(name).name


class Backtest(schemas.Body):
    """Which policies, and which months of the research store."""

    policies: list[
        Annotated[str, AfterValidator(_policy), Field(max_length=20, json_schema_extra={"pattern": POLICY})]
    ] = Field(
        default=list(policies.USUAL),
        min_length=1,
        max_length=10,
        json_schema_extra={"uniqueItems": True},
        description="never, monthly, window:90d (any number of days), drift, performance, evidence, evidence:refit",
    )
    from_: str = Field(default="2013-04", alias="from", pattern=MONTH, description="the first month")
    to: str = Field(default="2013-12", pattern=MONTH, description="the last month")

    @field_validator("policies")
    @classmethod
    def _each_once(cls, named: list[str]) -> list[str]:
        if len(set(named)) < len(named):
            raise ValueError("a policy is named twice")
        return named


@bp.post("/backtests")
@bp.auth_required(auth, roles=OPERATOR)
@bp.input(Backtest, arg_name="backtest")
@bp.output(Job, status_code=202)
@costly
def new(backtest: Backtest) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Replay history under retraining policies

    Queues a back-test and answers at once with its job; GET /policies has what it found once it is done. While one of
    the same policies and months is queued or running, this is it.
    """
    if backtest.from_ > backtest.to:
        reason = f"{backtest.from_} comes after {backtest.to}"
        raise Problem(422, "Not in order", f"{reason}.", [{"pointer": "/from", "reason": reason}])
    here = context.get()
    account = current_account()
    params = {"policies": backtest.policies, "from": backtest.from_, "to": backtest.to}
    same = hashlib.sha256(repr(params).encode()).hexdigest()[:40]
    job = jobs.enqueue(here.engine, "backtest", params, account.username, here.now(), dedupe_key=f"backtest {same}")
    return as_json(job), 202, {"Location": url_for("jobs.get", identity=job["id"])}
