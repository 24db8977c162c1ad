"""What became of batches that came with an Idempotency-Key: sent again within a day, they get the same receipt."""

import hashlib
import json
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from backend.clock import DAY
from backend.store import sql

KEPT_FOR = DAY
table = sql.receipts


class OtherContentError(ValueError):
    """The key was used for another content."""


def digest(content: Any) -> bytes:
    """The SHA-256 of a JSON value: of what it says, not of how it was written."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()


def find(connection: Connection, account: str, key: str, content: bytes, now: int) -> dict[str, Any] | None:
    """The receipt that this account was given for that key within the last day (`now` by the wall clock), or None.

    Raises OtherContentError where it was given for another content.
    """
    mine = (table.c.account == account, table.c.key == key, table.c.created_at > now - KEPT_FOR)
    row = connection.execute(select(table.c.digest, table.c.receipt).where(*mine)).one_or_none()
    if row is None:
        return None
    if bytes(row.digest) != content:
        raise OtherContentError(f"{key} was the key of another content")
    return dict(row.receipt)


def keep(connection: Connection, account: str, key: str, content: bytes, receipt: dict[str, Any], now: int) -> None:
    """Remember a receipt in the transaction of what it says, and forget those that are older than a day."""
    connection.execute(delete(table).where(table.c.created_at <= now - KEPT_FOR))
    values = {"account": account, "key": key, "digest": content, "receipt": receipt, "created_at": now}
    connection.execute(insert(table).values(values))
