"""/accounts: who may use this installation, and as what. For admins."""

from typing import Any, Literal

from apiflask import APIBlueprint
from flask import url_for
from pydantic import BaseModel, Field

from backend import accounts, passwords
from backend.accounts import Account
from backend.api import context, paging, schemas
from backend.api.access_log import decided
from backend.api.auth import ADMIN, auth, current_account
from backend.api.errors import Problem
from backend.api.quotas import costly
from backend.store import events as log
from backend.store import ledger, pages, sql

bp = APIBlueprint("accounts", __name__, tag="Accounts", url_prefix="/accounts")

Role = Literal["viewer", "analyst", "operator", "admin", "feeder", "alerts", "metrics"]


class AccountShown(BaseModel):
    """An account, without anything that opens it."""

    id: str
    username: str
    role: Role
    disabled: bool


class AccountsShown(BaseModel):
    """A page of accounts."""

    items: list[AccountShown]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Paged):
    """Which accounts."""

    role: Role | None = None
    disabled: bool | None = Field(default=None, description="only those that may not log in, or only those that may")
    sort: Literal["username", "-username"] = paging.sort("username")


class NewAccount(schemas.Body):
    """A new account."""

    username: str = Field(max_length=64, examples=["night.shift"])
    password: str = Field(
        max_length=passwords.LONGEST,
        description=f"at least {passwords.SHORTEST} characters, not a common one, and without the name",
        examples=["correct horse battery staple"],
    )
    role: Role = Field(examples=["viewer"])


class AccountChange(schemas.Body):
    """What shall be otherwise; what is left out stays."""

    disabled: bool | None = None
    role: Role | None = None
    password: str | None = Field(default=None, max_length=passwords.LONGEST)


def _shown(account: Account) -> dict[str, Any]:
    return {name: getattr(account, name) for name in ("id", "username", "role", "disabled")}


def existing(identity: str) -> Account:
    """The account with that id as it is now. Raises Problem 404 where there is none."""
    found = accounts.by_id(context.get().documents, identity)
    if found is None:
        raise Problem(404, "No such account", "No account has this id: GET /accounts lists them.")
    return found


def note(what: str, account: Account, **more: Any) -> None:
    """Write into the ledger, and into the log of access, who did it to whom; never a password."""
    here, who = context.get(), current_account().username
    decided("account changed", who, what, about=account.username, **more)
    summary = f"{who} {what} the account {account.username}"
    evidence = {"account": account.id, "role": account.role, **more}
    with sql.writing(here.engine) as connection:
        ledger.decide(connection, "account", here.now(), log.data_clock(connection), who, summary, evidence)


@bp.get("")
@bp.auth_required(auth, roles=ADMIN)
@bp.input(Query, location="query", arg_name="query")
@bp.output(AccountsShown)
def listing(query: Query) -> dict[str, Any]:
    """List accounts

    Everybody who may log in, people and machines, by name.
    """
    found = [_shown(account) for account in accounts.listing(context.get().documents)]
    for name in ("role", "disabled"):
        if (wanted := getattr(query, name)) is not None:
            found = [account for account in found if account[name] == wanted]
    items, following = pages.cut_list(found, "accounts", "username", query.page)
    return {"items": items, "next": following}


@bp.post("")
@bp.auth_required(auth, roles=ADMIN)
@bp.input(NewAccount, arg_name="new")
@bp.output(AccountShown, status_code=201)
@bp.doc(responses={422: "A name that is taken or unfit, or a password that is too short"})
@costly
def create(new: NewAccount) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Create an account

    For a person (viewer, analyst, operator, admin) or a machine (feeder, alerts, metrics).
    """
    here = context.get()
    try:
        made = accounts.create(here.documents, new.username, new.password, new.role, here.now())
    except ValueError as error:
        raise Problem(422, "Not created", f"{error}.") from error
    note(f"created as {new.role}", made)
    return _shown(made), 201, {"Location": url_for("accounts.get", identity=made.id)}


@bp.get("/<identity>")
@bp.auth_required(auth, roles=ADMIN)
@bp.output(AccountShown)
def get(identity: str) -> dict[str, Any]:
    """One account

    Whose it is, what it may do, and whether it may log in.
    """
    return _shown(existing(identity))


@bp.patch("/<identity>")
@bp.auth_required(auth, roles=ADMIN)
@bp.input(AccountChange, arg_name="change")
@bp.output(AccountShown)
@bp.doc(responses={404: "No such account", 409: "The only admin that is left stays one"})
def patch(identity: str, change: AccountChange) -> dict[str, Any]:
    """Change an account

    Disable it or let it in again, give it another role or another password. Whatever it had opened (sessions, tokens)
    ends within five seconds, in every process.
    """
    documents, account = context.get().documents, existing(identity)
    try:
        if change.password is not None:
            accounts.reset_password(documents, identity, change.password)
            note("gave another password to", account)
    except ValueError as error:
        raise Problem(422, "Not changed", f"{error}.") from error
    try:
        if change.role is not None and change.role != account.role:
            accounts.give_role(documents, identity, change.role)
            note(f"gave the role {change.role} to", account)
        if change.disabled is not None and change.disabled != account.disabled:
            (accounts.disable if change.disabled else accounts.enable)(documents, identity)
            note("disabled" if change.disabled else "enabled", account)
    except ValueError as error:
        raise Problem(409, "Not changed", f"{error}.") from error
    return _shown(existing(identity))
