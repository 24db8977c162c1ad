"""POST /token: the OAuth2 password grant, for scripts."""

from typing import Any, Literal

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, Field

from backend.api import context, schemas
from backend.api.auth import check_password, issue
from backend.store import sessions

bp = APIBlueprint("tokens", __name__, tag="Log in")
TOKEN_SECONDS = 3600


class Grant(BaseModel):
    """RFC 6749, 4.3.2. What else OAuth2 clients send is not used."""

    grant_type: Literal["password"]
    username: str = Field(examples=["admin"])
    password: str


class Token(BaseModel):
    """RFC 6749, 5.1. Send it as `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="seconds")


@bp.before_request
def _takes_a_form() -> None:
    if request.method == "POST":
        schemas.require_form(request)


@bp.post("/token")
@bp.input(Grant, location="form", arg_name="grant")
@bp.output(Token)
@bp.doc(responses={401: "The username or the password is wrong", 415: "Not a form", 503: "Busy: try again"})
def new(grant: Grant) -> dict[str, Any]:
    """Name and password for a token

    The token lasts an hour. It ends at once when the password is reset or the account is disabled, and with
    `DELETE /sessions` under it.
    """
    here = context.get()
    account = check_password(grant.username, grant.password)
    now = here.now()
    _, session = sessions.start(here.engine, "token", account.id, account.credentials_version, now, TOKEN_SECONDS)
    token = issue(account, session, now, TOKEN_SECONDS)
    return {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS}
