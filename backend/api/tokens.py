"""POST /token: OAuth2 for scripts. A password for tokens, a refresh token for the next ones, and an end to them."""

import logging
from typing import Any, Literal

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from backend import clock
from backend.accounts import Account
from backend.api import context, oauth
from backend.api.access_log import decided, denied
from backend.api.auth import check_password
from backend.api.bearers import account_of, claims_of, issue, username_of
from backend.api.errors import Problem
from backend.store import api_tokens, refreshes, sessions, sql

bp = APIBlueprint("tokens", __name__, tag="Log in", url_prefix="/token")
ACCESS_SECONDS = 900
FAMILY_SECONDS = 7 * clock.DAY


def _needs(kind: str) -> dict[str, Any]:
    needed = oauth.PARAMETERS[kind]
    properties = {name: {"type": "string", "minLength": 1} for name in needed}
    return {"required": list(needed), "properties": properties | {"grant_type": {"const": kind}}}


class Grant(BaseModel):
    """RFC 6749, 4.3.2 and 6. What else OAuth2 clients send is not used."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [_needs(kind) for kind in oauth.PARAMETERS],
            "additionalProperties": {"type": "string"},
            "examples": [{"grant_type": "password", "username": "admin", "password": "correct horse battery staple"}],
        }
    )

    grant_type: Literal["password", "refresh_token"]
    username: str | None = Field(default=None, examples=["admin"], description="for the grant `password`")
    password: str | None = Field(default=None, description="for the grant `password`")
    refresh_token: str | None = Field(default=None, description="for the grant `refresh_token`")


class Token(BaseModel):
    """RFC 6749, 5.1. Send it as `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="seconds")


class Tokens(Token):
    """An access token, and what the next one is had for."""

    refresh_token: str = Field(description="works once")


class Revocation(BaseModel):
    """RFC 7009, 2.1."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": {"type": "string"}})

    token: str = Field(min_length=1)
    token_type_hint: str | None = None


@bp.post("")
@bp.input(Grant, location="form", arg_name="grant")
@bp.output(Tokens)
@bp.doc(
    responses={
        400: "`error` says why, in the words of RFC 6749",
        401: "The username or the password is wrong",
        415: "Not a form",
        429: "Too many logins from here have failed",
        503: "Busy: try again",
    }
)
def new(grant: Grant) -> dict[str, Any]:
    """Name and password, or a refresh token, for tokens

    The access token lasts 15 minutes. The refresh token works once, until seven days after the password was given, and
    brings the next of both. One that is used a second time ends all that came from that password, since two have it
    then. All of them end at once with `POST /token/revoke`, when the password is changed, and when the account is
    disabled or gets another role.
    """
    here = context.get()
    now = here.now()
    if grant.grant_type == "password":
        account = _by_password(grant)
        refresh, session = refreshes.first(here.engine, account.id, account.credentials_version, now, FAMILY_SECONDS)
    else:
        account = _of_family(grant.refresh_token or "", now)
        renewed = refreshes.renew(here.engine, grant.refresh_token or "", now)
        if renewed is None:
            reason = "it came a second time: all that came from the same password has ended"
            denied("refresh token reused", account.username, reason, logging.WARNING)
            raise _no_refresh()
        refresh, session = renewed
    decided("token issued", account.username, grant.grant_type)
    return {
        "access_token": issue(account, session, now, ACCESS_SECONDS),
        "token_type": "bearer",
        "expires_in": min(ACCESS_SECONDS, session.expires_at - now),
        "refresh_token": refresh,
    }


@bp.post("/revoke")
@bp.input(Revocation, location="form", arg_name="revocation")
@bp.output({})
@bp.doc(responses={400: "The form names no token", 415: "Not a form"})
def revoke(revocation: Revocation) -> dict[str, Any]:
    """End a token

    A refresh token or an access token: all that came from the same password ends with it. An API token ends alone. What
    is no token, or has ended, changes nothing and gets the same answer (RFC 7009).
    """
    here, token = context.get(), revocation.token
    if (api_token := api_tokens.find(here.engine, token, here.now())) is not None:
        with sql.writing(here.engine) as connection:
            api_tokens.revoke(connection, api_token.account, api_token.id)
        decided("API token revoked", username_of(api_token.account), "its holder asked", token=api_token.id)
    elif claims := claims_of(token):
        sessions.revoke(here.engine, str(claims["sid"]))
        decided("token revoked", username_of(str(claims["sub"])))
    elif family := refreshes.family_of(here.engine, token, here.now()):
        sessions.revoke(here.engine, family.id_hash)
        decided("token revoked", username_of(family.account))
    return {}


def _by_password(grant: Grant) -> Account:
    """Whose name and password these are. Raises Problem like every other place that takes a password."""
    try:
        return check_password(grant.username or "", grant.password or "")
    except Problem as problem:
        problem.error = "invalid_grant" if problem.status == 401 else problem.error
        raise


def _of_family(token: str, now: int) -> Account:
    """Whose refresh token it is, used or not. Asked before it is used: who uses it first is answered, whatever follows.

    Raises Problem 400 where its family or its account has ended.
    """
    family = refreshes.family_of(context.get().engine, token, now)
    if family is None:
        denied("refresh token refused", None, "none, or over")
        raise _no_refresh()
    try:
        return account_of(family.id_hash)[0]
    except Problem as error:
        denied("refresh token refused", username_of(family.account), error.detail)
        raise oauth.problem("invalid_grant", error.detail) from error


def _no_refresh() -> Problem:
    return oauth.problem("invalid_grant", "The refresh token is over, was used or is none: log in again.")


@bp.before_request
def _takes_a_form() -> None:
    if request.method != "POST":
        return
    if request.endpoint == "tokens.new":
        oauth.require_grant(request)
    else:
        oauth.require_form(request, "token")
