"""What a Bearer token says: a JWT of ours, which names a row of `sessions`, or an API token, which is a row itself.

On every request that row must not be revoked or over, and its account must be as it was when the row was made: not
disabled, its password and its role not changed.
"""

import logging
from dataclasses import replace
from typing import Any

import jwt
from flask import g
from jwt.types import Options
from sqlalchemy.exc import OperationalError

from backend import accounts, clock
from backend.accounts import Account
from backend.api import context
from backend.api.errors import Problem
from backend.store import api_tokens, sessions
from backend.store.api_tokens import ApiToken
from backend.store.sessions import Session

ALGORITHM = "HS256"
ISSUER = "pushback"
AUDIENCE = "pushback-api"
CHALLENGE = 'Bearer realm="Pushback", Basic realm="Pushback", charset="UTF-8"'

log = logging.getLogger(__name__)


def refused(detail: str) -> Problem:
    """The 401 that says why."""
    return Problem(401, "Not logged in", detail, headers={"WWW-Authenticate": CHALLENGE})


def account_of_token(token: str) -> Account:
    """Who shows that token; an API token's role takes the place of its account's. Raises Problem 401."""
    if token.startswith(api_tokens.PREFIX):
        return _account_of_api_token(token)
    account, session = account_of(session_of(token))
    g.session = session.id_hash
    return account


def shows_an_api_token() -> bool:
    """Whether this request was let in by one."""
    return g.get("api_token") is not None


def this_session() -> str | None:
    """The hash of the session that let this request in, None where it was no session."""
    session: str | None = g.get("session")
    return session


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


def username_of(identity: str) -> str | None:
    """What the account with that id is called, None where there is none."""
    account = accounts.by_id(context.get().documents, identity)
    return None if account is None else account.username


def _account_of_api_token(opaque: str) -> Account:
    here = context.get()
    found = api_tokens.find(here.engine, opaque, here.now())
    account = None if found is None else accounts.by_id(here.documents, found.account)
    if found is None or account is None or not is_living(found, account, here.now()):
        raise refused("The API token is none, is over, or was ended: make another one at POST /accounts/me/tokens.")
    g.api_token = found.id
    _note_use(found, here.now())
    return replace(account, role=found.role)


def is_living(token: ApiToken, account: Account, now: int) -> bool:
    """Whether a token of that account may be used."""
    unchanged = not account.disabled and account.credentials_version == token.credentials_version
    return unchanged and not token.revoked and token.expires_at > now


def _note_use(token: ApiToken, now: int) -> None:
    """At its first use of a day. A full disk keeps nobody out who only reads."""
    today = now - now % clock.DAY
    if token.last_used_day == today:
        return
    try:
        api_tokens.used(context.get().engine, token.id, today)
    except OperationalError:
        log.warning("that the API token %s was used today could not be noted", token.id, exc_info=True)
