"""How often an account may ask for expensive work: counted in the database, for all processes."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from limits import RateLimitItemPerHour
from limits.strategies import FixedWindowRateLimiter

from backend import options
from backend.api import context
from backend.api.auth import current_account
from backend.api.errors import Problem
from backend.options import Limits

P = ParamSpec("P")
R = TypeVar("R")


def costly(handler: Callable[P, R]) -> Callable[P, R]:
    """A handler that counts for its account, and answers 429 where that has asked too often within an hour.

    Stands right above the handler, under its decorators, so that what is not valid is not counted.
    """

    @wraps(handler)
    def counted(*args: P.args, **kwargs: P.kwargs) -> R:
        here, account = context.get(), current_account()
        allowed = RateLimitItemPerHour(options.of(here.documents, Limits).costly_an_hour, namespace="costly")
        if not FixedWindowRateLimiter(here.counters).hit(allowed, account.id):
            seconds = here.counters.seconds_left(allowed.key_for(account.id))
            detail = (
                f"This account may ask {allowed.amount} times an hour for trainings, back-tests, uploads, new "
                f"accounts and API tokens together: try again in {seconds} s."
            )
            raise Problem(429, "Too often", detail, headers={"Retry-After": str(seconds)})
        return handler(*args, **kwargs)

    return counted
