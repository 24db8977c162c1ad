"""Who is asking: HTTP Basic or a Bearer token, and the roles."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apiflask import HTTPBasicAuth, HTTPTokenAuth
from apiflask.security import MultiAuth
from flask import Response, g, request

from backend import accounts
from backend.accounts import Account
from backend.api import context
from backend.api.access_log import decided, denied
from backend.api.attempts import Attempts
from backend.api.bearers import account_of_token, refused
from backend.api.errors import Problem, answer

ADMIN = ["admin"]
OPERATOR = ["operator", *ADMIN]
ANALYST = ["analyst", *OPERATOR]
VIEWER = ["viewer", *ANALYST]
FEEDER = ["feeder"]
ALERTS = ["alerts"]
METRICS = ["metrics", *ADMIN]
EVERY_ROLE = list(accounts.ROLES)

PARALLEL_PASSWORD_CHECKS = 2  # an Argon2 check takes 0.1 s of a core and 64 MiB
PATIENCE_SECONDS = 1.0

_password_checks = threading.BoundedSemaphore(PARALLEL_PASSWORD_CHECKS)
_admitted = threading.BoundedSemaphore(PARALLEL_PASSWORD_CHECKS + 1)


class _Basic(HTTPBasicAuth):
    """HTTP Basic, whose scheme may be written in any case (RFC 9110, 11.1)."""

    def is_compatible_auth(self, _headers: Any) -> bool:
        return request.headers.get("Authorization", "").split(" ", 1)[0].lower() == "basic"


bearer = HTTPTokenAuth(description="A token from POST /token, POST /sessions/token or POST /accounts/me/tokens.")
basic = _Basic(description="Name and password of an account. Each request costs 0.1 s: scripts ask for a token.")
auth = MultiAuth(bearer, basic)


def check_password(username: str, password: str) -> Account:
    """The account that this name and password open.

    Raises Problem 401 (the same for an unknown name, a wrong password and a disabled account), 429 after too many
    failures, and 503 where two checks already run in this process and another one waits.
    """
    documents = context.get().documents
    named = accounts.find(documents, username)
    name = None if named is None else named.username
    try:
        account = _checked(username, password)
    except Problem as problem:
        denied("login put off", name, problem.title)
        raise
    if account is None:
        why = "no such account" if named is None else "disabled" if named.disabled else "wrong password"
        denied("login failed", name, why)
        raise refused("The username or the password is wrong, or the account is disabled.")
    decided("login", name)
    return account


def _checked(username: str, password: str) -> Account | None:
    attempts = Attempts(username)
    attempts.require_free()
    with _turn():
        attempts.count()
        account = accounts.verify(context.get().documents, username, password)
        if account is not None:
            attempts.forgive()
    return account


@contextmanager
def _turn() -> Iterator[None]:
    """Few passwords are checked at once, and one waits: the process has threads left for everybody else."""
    if not _admitted.acquire(blocking=False):
        raise _busy()
    try:
        if not _password_checks.acquire(timeout=PATIENCE_SECONDS):
            raise _busy()
        try:
            yield
        finally:
            _password_checks.release()
    finally:
        _admitted.release()


def _busy() -> Problem:
    detail = "Too many passwords are being checked at this moment: try again in a few seconds, or use a token."
    return Problem(503, "Busy", detail, headers={"Retry-After": "2"})


def current_account() -> Account:
    """Who asks, in a handler that is `auth_required`. Raises Problem 401 in any other."""
    account = auth.current_user
    if not isinstance(account, Account):
        raise refused("Log in first.")
    return account


@bearer.verify_token
def _verify_token(token: str) -> Account | None:
    return _asking(account_of_token(token)) if token else None


@basic.verify_password
def _verify_password(username: str, password: str) -> Account | None:
    return _asking(check_password(username, password)) if username else None


def _asking(account: Account) -> Account:
    """Notes it for the logs, which name it also where its role will not do."""
    g.asking = account.username
    return account


@bearer.get_user_roles
@basic.get_user_roles
def _roles(account: Account) -> str:
    return account.role


@bearer.error_handler
@basic.error_handler
def _error(status: int) -> Response:
    if status == 403:
        return answer(Problem(403, "Not for this role", "Your account's role may not do this: ask an admin."))
    return answer(refused("Send name and password by HTTP Basic, or a token as `Authorization: Bearer …`."))
