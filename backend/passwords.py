"""Passwords: which are good enough, their Argon2 hashes, and the check that takes as long where there is no account."""

import re
import secrets
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

SHORTEST = 12
LONGEST = 1000  # so that nobody makes Argon2 read megabytes
TELLING_NAME = 4  # shorter names stand inside of words by chance
COMMON = Path(__file__).parent / "common_passwords.txt"

_hasher = PasswordHasher()


def require_acceptable(password: str, username: str) -> None:
    """Raises ValueError, with what is wrong, for a password that an account of that name may not have."""
    if len(password) < SHORTEST:
        raise ValueError(f"the password has {len(password)} characters: give at least {SHORTEST}")
    if len(password) > LONGEST:
        raise ValueError(f"the password has {len(password)} characters: give at most {LONGEST}")
    if len(username) >= TELLING_NAME and username.casefold() in password.casefold():
        raise ValueError("the password has the account's name in it: give one that cannot be told from the name")
    if is_common(password):
        raise ValueError("the password is one of those that are tried first: give one that is not a common one")


def is_common(password: str) -> bool:
    """Whether it is a common password, one with digits and signs around it, or the same few characters repeated."""
    text = password.casefold()
    repeated = text[: (text + text).index(text, 1)]
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)
    return len(set(text)) < 5 or bool({text, repeated, core} & _common())


def hash_of(password: str) -> str:
    """Its Argon2id hash, which takes 0.1 s."""
    return _hasher.hash(password)


def matches(password_hash: str, password: str) -> bool:
    """Whether that password has that hash; takes 0.1 s, unless the hash is none."""
    try:
        return len(password) <= LONGEST and _hasher.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


@cache
def nobodys_hash() -> str:
    """A hash to check where there is no account, so that the check costs the same."""
    return _hasher.hash(secrets.token_urlsafe(18))


@cache
def _common() -> frozenset[str]:
    lines = COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("# "))
