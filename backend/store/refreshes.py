"""Refresh tokens: each works once, and one that comes a second time ends its whole family (RFC 9700, 4.14.2).

A family is a row of `sessions`, which every access token made in it names, and which knows the one refresh token that
is still unused. A token is the family's opaque id, which leads to the row, and a part of its own.
"""

import secrets

from sqlalchemy import Engine, update

from backend.store import sessions, sql
from backend.store.sessions import Session

KIND = "token"
PART_BYTES = 24


def first(engine: Engine, account: str, credentials_version: int, now: int, seconds: int) -> tuple[str, Session]:
    """A new family of that account for so many seconds: its first refresh token, which is kept nowhere, and its row."""
    part = secrets.token_urlsafe(PART_BYTES)
    opaque, session = sessions.start(engine, KIND, account, credentials_version, now, seconds, part)
    return f"{opaque}.{part}", session


def renew(engine: Engine, token: str, now: int) -> tuple[str, Session] | None:
    """The next refresh token, and the family's row; None for a token that is none, is over, or was used before."""
    session = family_of(engine, token, now)
    if session is None:
        return None
    table = sql.sessions
    following = f"{token.partition('.')[0]}.{secrets.token_urlsafe(PART_BYTES)}"
    unused = (table.c.id_hash == session.id_hash, table.c.refresh_hash == sessions.hash_of(token))
    with sql.writing(engine) as connection:
        taken = connection.execute(
            update(table).where(*unused, table.c.revoked.is_(False)).values(refresh_hash=sessions.hash_of(following))
        ).rowcount
        if taken:
            return following, session
        # Two have this family's tokens, and nobody can tell which of them is the thief.
        connection.execute(update(table).where(table.c.id_hash == session.id_hash).values(revoked=True))
    return None


def family_of(engine: Engine, token: str, now: int) -> Session | None:
    """The family that a refresh token belongs to, used or not; None where there is none, or it is over."""
    session = sessions.find(engine, sessions.hash_of(token.partition(".")[0]), now)
    return session if session is not None and session.kind == KIND else None
