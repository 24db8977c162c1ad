"""Who is asking: HTTP Basic or a Bearer JWT, the roles, and what a token says.

A JWT names a row of `sessions`. On every request that row must not be revoked or over, and its account must be as it
was when the session began: not disabled, its password not reset.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from apiflask import HTTPBasicAuth, HTTPTokenAuth
from apiflask.security import MultiAuth
from flask import Response, request
from jwt.types import Options

from backend import accounts
from backend.accounts import Account
from backend.api import context
from backend.api.attempts import Attempts
from backend.api.errors import Problem, answer
from backend.store import sessions
from backend.store.sessions import Session

ADMIN = ["admin"]
OPERATOR = ["operator", *ADMIN]
ANALYST = ["analyst", *OPERATOR]
VIEWER = ["viewer", *ANALYST]
FEEDER = ["feeder"]
ALERTS = ["alerts"]
METRICS = ["metrics"]

ALGORITHM = "HS256"
ISSUER = "pushback"
AUDIENCE = "pushback-api"
CHALLENGE = 'Bearer realm="Pushback", Basic realm="Pushback", charset="UTF-8"'
PARALLEL_PASSWORD_CHECKS = 2  # an Argon2 check takes 0.1 s of a core and 64 MiB
PATIENCE_SECONDS = 1.0

_password_checks = threading.BoundedSemaphore(PARALLEL_PASSWORD_CHECKS)
_admitted = threading.BoundedSemaphore(PARALLEL_PASSWORD_CHECKS + 1)


class _Basic(HTTPBasicAuth):
    """HTTP Basic, whose scheme may be written in any case (RFC 9110, 11.1)."""

    def is_compatible_auth(self, _headers: Any) -> bool:
        return request.headers.get("Authorization", "").split(" ", 1)[0].lower() == "basic"


bearer = HTTPTokenAuth(description="A token from POST /token or POST /sessions/token.")
basic = _Basic(description="Name and password of an account. Each request costs 0.1 s: scripts ask for a token.")
auth = MultiAuth(bearer, basic)


def check_password(username: str, password: str) -> Account:
    """The account that this name and password open.

    Raises Problem 401 (the same for an unknown name, a wrong password and a disabled account), 429 after too many
    failures, and 503 where two checks already run in this process and another one waits.
    """
    attempts = Attempts(username)
    attempts.require_free()
    with _turn():
        attempts.count()
        account = accounts.verify(context.get().documents, username, password)
        if account is not None:
            attempts.forgive()
    if account is None:
        raise refused("The username or the password is wrong, or the account is disabled.")
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


def refused(detail: str) -> Problem:
    """The 401 that says why."""
    return Problem(401, "Not logged in", detail, headers={"WWW-Authenticate": CHALLENGE})


def issue(account: Account, session: Session, now: int, seconds: int) -> str:
    """A JWT for that account that ends with its session, or after so many seconds if that is sooner."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": account.id,
        "sid": session.id_hash,
        "iat": now,
        "exp": min(now + seconds, session.expires_at),
    }
    key = context.get().keys.newest()
    return jwt.encode(claims, key.secret, ALGORITHM, {"kid": key.kid})


def session_of(token: str) -> str:
    """The hash of the session that a JWT of ours names. Raises Problem 401 for any other text, or one that is over."""
    claims = claims_of(token)
    if claims is None:
        raise refused("The token is not one of this server's: ask for one at POST /token.")
    if not isinstance(claims["exp"], int) or claims["exp"] <= context.get().now():
        raise refused("The token is over: ask for another one.")
    return str(claims["sid"])


def claims_of(token: str) -> dict[str, Any] | None:
    """What a JWT says, if a key of ours signed it; None for any other text. Whether it is over is not asked here."""
    options: Options = {"require": ["iss", "aud", "sub", "sid", "iat", "exp"], "verify_exp": False, "verify_iat": False}
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = context.get().keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            return None
        return jwt.decode(token, key.secret, algorithms=[ALGORITHM], issuer=ISSUER, audience=AUDIENCE, options=options)
    except jwt.InvalidTokenError:
        return None


def account_of(id_hash: str) -> tuple[Account, Session]:
    """The account behind a session, as both are now. Raises Problem 401 if either has ended."""
    here = context.get()
    session = sessions.find(here.engine, id_hash, here.now())
    account = None if session is None else accounts.by_id(here.documents, session.account)
    if session is None or account is None or account.disabled:
        raise refused("The session has ended: log in again.")
    if account.credentials_version != session.credentials_version:
        raise refused("The password was changed since: log in again.")
    return account, session


def current_account() -> Account:
    """Who asks, in a handler that is `auth_required`. Raises Problem 401 in any other."""
    account = auth.current_user
    if not isinstance(account, Account):
        raise refused("Log in first.")
    return account


@bearer.verify_token
def _verify_token(token: str) -> Account | None:
    return account_of(session_of(token))[0] if token else None


@basic.verify_password
def _verify_password(username: str, password: str) -> Account | None:
    return check_password(username, password) if username else None


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
