"""API tokens: what a program shows in the place of a password, with a role, a name and an end.

Stored is the SHA-256 of what its holder shows, which is 256 random bits and needs no slow hash.
"""

import secrets
import uuid
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update

from backend import clock
from backend.store import pages, sql
from backend.store.pages import Order, Page
from backend.store.sessions import hash_of
from backend.store.statements import Statement

PREFIX = "pb_"  # by which a scanner of source code finds one that was left there
RANDOM_BYTES = 32
SHOWN_SECONDS = 30 * clock.DAY  # after its end, in the list

table = sql.api_tokens
ORDER = Order(
    "api_tokens", table.c.id, {"created_at": table.c.created_at, "expires_at": table.c.expires_at, "name": table.c.name}
)


@dataclass(frozen=True)
class ApiToken:
    """One row. Times are epoch seconds; `last_used_day` is the start, in UTC, of the last day on which it was used."""

    id: str
    account: str
    credentials_version: int
    name: str
    role: str
    made_by: str
    created_at: int
    expires_at: int
    last_used_day: int | None = None
    revoked: bool = False


_FIELDS = [table.c[field.name] for field in fields(ApiToken)]


def make(connection: Connection, **said: Any) -> tuple[str, ApiToken]:
    """A new token with those fields of an ApiToken: what its holder shows, which is kept nowhere, and its row."""
    opaque = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    made = ApiToken(id=str(uuid.uuid4()), **said)
    connection.execute(insert(table).values({**asdict(made), "token_hash": hash_of(opaque)}))
    return opaque, made


def count(connection: Connection, account: str, credentials_version: int, now: int) -> int:
    """How many tokens of that account may still be used."""
    living = (table.c.revoked.is_(False), table.c.expires_at > now)
    mine = (table.c.account == account, table.c.credentials_version == credentials_version)
    return int(connection.execute(select(func.count()).where(*living, *mine)).scalar_one())


def find(engine: Engine, opaque: str, now: int) -> ApiToken | None:
    """The token that somebody shows, unless it is revoked or over. Whether its account still counts is not asked."""
    with engine.connect() as connection:
        rows = _LIVING.rows(connection, {"token_hash": hash_of(opaque), "now": now})
    return ApiToken(*rows[0]) if rows else None


_LIVING = Statement(
    select(*_FIELDS).where(
        table.c.token_hash == bindparam("token_hash"), table.c.revoked.is_(False), table.c.expires_at > bindparam("now")
    )
)


def used(engine: Engine, identity: str, day: int) -> None:
    """Notes that it was used on the day that begins then."""
    with sql.writing(engine) as connection:
        connection.execute(update(table).where(table.c.id == identity).values(last_used_day=day))


def revoke(connection: Connection, account: str, identity: str) -> ApiToken | None:
    """Ends a token of that account; returns it as it was, None where there is none."""
    mine = (table.c.id == identity, table.c.account == account)
    row = connection.execute(select(*_FIELDS).where(*mine)).one_or_none()
    connection.execute(update(table).where(*mine).values(revoked=True))
    return None if row is None else ApiToken(*row)


def listed(connection: Connection, account: str, page: Page) -> tuple[list[ApiToken], str | None]:
    """One page of an account's tokens, those that ended too, and the cursor of the next one. Raises CursorError."""
    rows, following = pages.cut(connection, select(*_FIELDS).where(table.c.account == account), ORDER, page)
    return [ApiToken(*row[: len(_FIELDS)]) for row in rows], following
