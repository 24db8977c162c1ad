"""Who is logged in: sessions of the app and password-grant tokens, each a row that can be revoked."""

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Engine, bindparam, delete, insert, select, update

from backend.store import sql
from backend.store.statements import Statement


@dataclass(frozen=True)
class Session:
    """One row. `id_hash` is what tokens carry; times are epoch seconds."""

    id_hash: str
    kind: str
    account: str
    credentials_version: int
    expires_at: int


def hash_of(opaque: str) -> str:
    """What is stored of a session's opaque id."""
    return hashlib.sha256(opaque.encode("utf-8", "surrogatepass")).hexdigest()


def start(
    engine: Engine,
    kind: str,
    account: str,
    credentials_version: int,
    now: int,
    seconds: int,
    refresh_part: str | None = None,
) -> tuple[str, Session]:
    """A new session of that account for so many seconds: its opaque id, which is kept nowhere, and its row.

    `kind` is "ui" or "token"; `refresh_part` is the own part of a first refresh token (backend/store/refreshes.py).
    Rows that ended are forgotten here.
    """
    opaque = secrets.token_urlsafe(32)
    session = Session(hash_of(opaque), kind, account, credentials_version, now + seconds)
    row = {
        "id_hash": session.id_hash,
        "kind": kind,
        "account": account,
        "credentials_version": credentials_version,
        "created_at": now,
        "expires_at": session.expires_at,
        "revoked": False,
        "refresh_hash": refresh_part and hash_of(f"{opaque}.{refresh_part}"),
    }
    with sql.writing(engine) as connection:
        connection.execute(delete(sql.sessions).where(sql.sessions.c.expires_at <= now))
        connection.execute(insert(sql.sessions).values(row))
    return opaque, session


def find(engine: Engine, id_hash: str, now: int) -> Session | None:
    """The session with that hash, unless it is revoked or over. Whether its account still counts is not asked here."""
    with engine.connect() as connection:
        rows = _LIVING.rows(connection, {"id_hash": id_hash, "now": now})
    return Session(*rows[0]) if rows else None


_table = sql.sessions.c
_LIVING = Statement(
    select(_table.id_hash, _table.kind, _table.account, _table.credentials_version, _table.expires_at).where(
        _table.id_hash == bindparam("id_hash"), _table.revoked.is_(False), _table.expires_at > bindparam("now")
    )
)


def revoke(engine: Engine, id_hash: str) -> None:
    """Ends a session, and with it every token made from it. Ending one that has ended changes nothing."""
    with sql.writing(engine) as connection:
        connection.execute(update(sql.sessions).where(sql.sessions.c.id_hash == id_hash).values(revoked=True))


def keep(engine: Engine, id_hash: str, credentials_version: int) -> None:
    """Lets a session outlive a change of its account's credentials, which ends all others."""
    kept = update(sql.sessions).where(sql.sessions.c.id_hash == id_hash)
    with sql.writing(engine) as connection:
        connection.execute(kept.values(credentials_version=credentials_version))
