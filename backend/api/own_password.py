"""POST /accounts/me/password: everybody changes the own password."""

from apiflask import APIBlueprint
from pydantic import Field

from backend import accounts, passwords
from backend.api import context, schemas
from backend.api.accounts import note
from backend.api.auth import EVERY_ROLE, auth, check_password, current_account
from backend.api.bearers import shows_an_api_token, this_session
from backend.api.errors import Problem
from backend.store import sessions

bp = APIBlueprint("own_password", __name__, tag="Accounts", url_prefix="/accounts/me/password")


class Change(schemas.Body):
    """The password until now, and the one from now on."""

    old: str = Field(max_length=passwords.LONGEST)
    new: str = Field(
        max_length=passwords.LONGEST,
        description=f"at least {passwords.SHORTEST} characters, not a common one, and without the account's name",
        examples=["correct horse battery staple"],
    )


@bp.post("")
@bp.auth_required(auth, roles=EVERY_ROLE)
@bp.input(Change, arg_name="change")
@bp.output({}, status_code=204)
@bp.doc(responses={403: "The old password is wrong, or an API token asks", 422: "The new password is not good enough"})
def change(change: Change) -> tuple[str, int]:
    """Change one's own password

    The old one is counted like a login. All that it opened ends: sessions, tokens and API tokens, except for the
    session that asks.
    """
    if shows_an_api_token():
        raise Problem(403, "Not by an API token", "An API token changes no password: log in with the password.")
    here, who = context.get(), current_account()
    try:
        check_password(who.username, change.old)
    except Problem as problem:
        if problem.status != 401:
            raise
        raise Problem(403, "Wrong password", "The old password is wrong: nothing was changed.") from problem
    try:
        if change.new == change.old:
            raise ValueError("the new password is the old one")
        version = accounts.reset_password(here.documents, who.id, change.new)
    except ValueError as error:
        place = {"pointer": "/new", "reason": str(error)}
        raise Problem(422, "Not changed", f"{error}.", [place]) from error
    if (session := this_session()) is not None:
        sessions.keep(here.engine, session, version)
    note("changed the password of", who)
    return "", 204
