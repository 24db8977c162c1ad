"""/sessions: the app's logins. The browser holds an opaque id; the app changes it into short tokens here."""

import logging
from typing import Any

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, Field

from backend import clock
from backend.api import context, schemas
from backend.api.access_log import decided
from backend.api.auth import check_password
from backend.api.bearers import account_of, issue, refused, session_of, username_of
from backend.api.tokens import Token
from backend.store import sessions

bp = APIBlueprint("sessions", __name__, tag="Log in", url_prefix="/sessions")
KIND = "ui"
SESSION_SECONDS = 7 * clock.DAY
TOKEN_SECONDS = 120


class Login(schemas.Body):
    """Who logs in."""

    username: str = Field(examples=["admin"])
    password: str


class Opaque(schemas.Body):
    """A session's id, as `POST /sessions` gave it."""

    session: str


class Ending(schemas.Body):
    """The session to end; without it, the one of the Bearer token."""

    session: str | None = None


class LoggedIn(BaseModel):
    """A new session. Only this answer holds its id."""

    session: str
    username: str
    role: str
    expires_at: str = Field(examples=["2026-11-30T12:00:00Z"])


class SessionToken(Token):
    """A short token, and whose it is."""

    username: str
    role: str


@bp.post("")
@bp.input(Login, arg_name="login")
@bp.output(LoggedIn, status_code=201)
@bp.doc(
    responses={
        401: "The username or the password is wrong",
        429: "Too many logins from here have failed",
        503: "Busy: try again",
    }
)
def new(login: Login) -> dict[str, Any]:
    """Log in

    The session lasts seven days, unless it is ended before: by logout, a password reset or disabling the account.
    """
    here = context.get()
    account = check_password(login.username, login.password)
    opaque, session = sessions.start(
        here.engine, KIND, account.id, account.credentials_version, here.now(), SESSION_SECONDS
    )
    return {
        "session": opaque,
        "username": account.username,
        "role": account.role,
        "expires_at": clock.iso(session.expires_at),
    }


@bp.post("/token")
@bp.input(Opaque, arg_name="opaque")
@bp.output(SessionToken)
@bp.doc(responses={401: "The session has ended"})
def exchange(opaque: Opaque) -> dict[str, Any]:
    """A session for a short token

    The token lasts two minutes; a session that has ended gets none.
    """
    account, session = account_of(sessions.hash_of(opaque.session))
    if session.kind != KIND:
        raise refused("This is no session of a login: log in again.")
    decided("token issued", account.username, "session", logging.DEBUG)  # every few seconds, for each open page
    now = context.get().now()
    return {
        "access_token": issue(account, session, now, TOKEN_SECONDS),
        "token_type": "bearer",
        "expires_in": min(TOKEN_SECONDS, session.expires_at - now),
        "username": account.username,
        "role": account.role,
    }


@bp.delete("")
@bp.input(Ending, arg_name="ending")
@bp.output({}, status_code=204)
@bp.doc(responses={401: "Neither a session nor a token was sent"}, security=["BearerAuth"])
def revoke(ending: Ending) -> tuple[str, int]:
    """Log out

    Ends the session that the body names, or the one of the Bearer token, and every token made from it. From then on
    they answer 401. Ending a session that has ended changes nothing.
    """
    given = request.authorization
    if ending.session is not None:
        id_hash = sessions.hash_of(ending.session)
    elif given is not None and given.type == "bearer" and given.token:
        id_hash = session_of(given.token)
    else:
        raise refused('Say which session ends: {"session": "…"} in the body, or its Bearer token.')
    engine, now = context.get().engine, context.get().now()
    ended = sessions.find(engine, id_hash, now)
    sessions.revoke(engine, id_hash)
    if ended is not None:
        decided("logout", username_of(ended.account))
    return "", 204
