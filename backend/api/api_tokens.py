"""/accounts/{id}/tokens: API tokens, for programs that act for an account, or for a machine's."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from backend import accounts, clock
from backend.accounts import Account
from backend.api import context, paging, schemas
from backend.api.accounts import Role, existing, note
from backend.api.auth import VIEWER, auth, current_account
from backend.api.bearers import is_living, shows_an_api_token
from backend.api.errors import Problem
from backend.api.quotas import costly
from backend.store import api_tokens, sql
from backend.store.api_tokens import ApiToken

bp = APIBlueprint("api_tokens", __name__, tag="Accounts", url_prefix="/accounts/<identity>/tokens")

LONGEST_DAYS = 365
MOST_LIVING = 50  # of an account
ME = "me"


class Shown(BaseModel):
    """An API token, without what opens anything."""

    id: str
    name: str
    role: Role
    made_by: str = Field(description="who made it")
    created_at: str
    expires_at: str = Field(examples=["2027-06-30T12:00:00Z"])
    last_used_on: str | None = Field(description="the last day in UTC on which it was used", examples=["2026-11-25"])
    active: bool = Field(description="false once it is over, revoked, or its account was disabled or changed")


class Made(Shown):
    """A new API token. Only this answer holds it."""

    token: str = Field(description="send it as `Authorization: Bearer …`")


class AllShown(BaseModel):
    """A page of API tokens."""

    items: list[Shown]
    next: str | None = Field(description=paging.NEXT)


class Query(paging.Paged):
    """In which order."""

    sort: Literal["created_at", "-created_at", "expires_at", "-expires_at", "name", "-name"] = paging.sort(
        "-created_at"
    )


class New(schemas.Body):
    """What the token is for."""

    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=80, examples=["gate displays"])
    role: Role = Field(description="at most the account's own", examples=["viewer"])
    expires_at: schemas.Moment = Field(description="at most a year from now", examples=["2027-06-30T12:00:00Z"])


@bp.get("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(Query, location="query", arg_name="query")
@bp.output(AllShown)
@bp.doc(responses={404: "No such account"})
def listing(identity: str, query: Query) -> dict[str, Any]:
    """List API tokens

    Of one's own account, by its id or as `me`; for admins, of any. Those that are over stay in the list for a month.
    """
    here, owner = context.get(), _owner(identity)
    with here.engine.connect() as connection:
        tokens, following = api_tokens.listed(connection, owner.id, query.page)
    return {"items": [_shown(token, owner, here.now()) for token in tokens], "next": following}


@bp.post("")
@bp.auth_required(auth, roles=VIEWER)
@bp.input(New, arg_name="new")
@bp.output(Made, status_code=201)
@bp.doc(responses={404: "No such account", 409: "The account has as many as it may have"})
@costly
def create(identity: str, new: New) -> tuple[dict[str, Any], int]:
    """Make an API token

    For one's own account, with its role or a lesser one; for an admin, also for a machine's account. It is shown once,
    and opens what its role may do, but makes no further one. It ends when it is over or revoked, and with whatever ends
    the account's sessions: another password, another role, disabling.
    """
    here, who, owner, now = context.get(), current_account(), _owner(identity), context.get().now()
    expires_at = _require_fit(new, who, owner, now)
    with sql.writing(here.engine) as connection:
        if api_tokens.count(connection, owner.id, owner.credentials_version, now) >= MOST_LIVING:
            detail = f"{owner.username} has {MOST_LIVING} API tokens, which is as many as may be: revoke one first."
            raise Problem(409, "Too many API tokens", detail)
        opaque, made = api_tokens.make(
            connection,
            account=owner.id,
            credentials_version=owner.credentials_version,
            name=new.name,
            role=new.role,
            made_by=who.username,
            created_at=now,
            expires_at=expires_at,
        )
    note(f"made the API token {new.name!r} ({new.role}, until {clock.iso(expires_at)}) for", owner, token=made.id)
    return {**_shown(made, owner, now), "token": opaque}, 201


@bp.delete("/<token>")
@bp.auth_required(auth, roles=VIEWER)
@bp.output({}, status_code=204)
@bp.doc(responses={404: "No such account or API token"})
def revoke(identity: str, token: str) -> tuple[str, int]:
    """Revoke an API token

    It answers 401 from then on, in every process. One's own; for admins, anybody's. Revoking it again changes nothing.
    """
    owner = _owner(identity)
    with sql.writing(context.get().engine) as connection:
        before = api_tokens.revoke(connection, owner.id, token)
    if before is None:
        raise Problem(404, "No such API token", "The account has none with this id: GET …/tokens lists them.")
    if not before.revoked:
        note(f"revoked the API token {before.name!r} of", owner, token=before.id)
    return "", 204


def _owner(identity: str) -> Account:
    """Whose tokens are spoken of, as the account is now. Raises Problem 403 for somebody else's, unless to an admin."""
    who = current_account()
    if identity in (ME, who.id):
        return existing(who.id)
    if who.role != "admin":
        raise Problem(403, "Not for this role", "These are somebody else's API tokens: ask an admin.")
    return existing(identity)


def _require_fit(new: New, who: Account, owner: Account, now: int) -> int:
    """When the new token ends. Raises Problem where it may not be made so."""
    if shows_an_api_token():
        raise Problem(403, "Not by an API token", "An API token makes no other one: log in with the password.")
    if owner.id != who.id and owner.role not in accounts.MACHINES:
        raise Problem(403, "Not for somebody else", "People make their own API tokens; admins make those of machines.")
    accepted = accounts.roles_up_to(owner.role)
    if new.role not in accepted:
        raise _unfit("role", f"is more than {owner.username} may do", list(accepted))
    expires_at, latest = clock.to_epoch(new.expires_at), now + LONGEST_DAYS * clock.DAY
    if not now < expires_at <= latest:
        raise _unfit("expires_at", "is no moment within a year from now", f"until {clock.iso(latest)}")
    return expires_at


def _unfit(field: str, reason: str, accepted: Any) -> Problem:
    place = {"pointer": f"/{field}", "reason": reason, "accepted": accepted}
    return Problem(422, "Not created", f"/{field}: {reason}.", [place])


def _shown(token: ApiToken, owner: Account, now: int) -> dict[str, Any]:
    day = token.last_used_day
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "made_by": token.made_by,
        "created_at": clock.iso(token.created_at),
        "expires_at": clock.iso(token.expires_at),
        "last_used_on": None if day is None else clock.from_epoch(day).date().isoformat(),
        "active": is_living(token, owner, now),
    }
