"""The log `pushback.access`: one line for each decision about who gets in and what they may do, and no secret in it.

A line has the `decision`, the `account` that asks, where it is known, its `address`, the `reason`, and what else a call
gives; the request's id comes with every line.
"""

import logging
from typing import Any

from apiflask import APIFlask
from flask import Response, g

from backend.api.address import client_address
from backend.monitoring import logs

logger = logging.getLogger(logs.ACCESS)
REFUSALS = {401: "credentials refused", 403: "not allowed"}


def register(app: APIFlask) -> None:
    """Lets every refusal have its line, whoever raised it."""
    app.after_request(_refusal)


def decided(decision: str, account: str | None, reason: str = "", level: int = logging.INFO, **more: Any) -> None:
    """Logs a decision. `account` is a name that exists: what else somebody types there may be a password."""
    said = {"decision": decision, "account": account, "address": client_address(), "reason": reason}
    logger.log(level, "%s", decision, extra={**said, **more})


def denied(decision: str, account: str | None, reason: str, level: int = logging.INFO) -> None:
    """Logs a refusal, which then needs no line of its own at the end of the request."""
    g.denied = True
    decided(decision, account, reason, level)


def _refusal(response: Response) -> Response:
    """Logs a 401 or a 403 that nothing else has logged, with the words of its problem details."""
    decision = REFUSALS.get(response.status_code)
    if decision is not None and not g.get("denied"):
        problem = response.get_json(force=True, silent=True) or {}
        decided(decision, g.get("asking"), problem.get("detail", ""))
    return response
