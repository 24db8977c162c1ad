"""The keys that sign tokens: the newest signs, and the one before it still verifies, until the next rotation.

They stand in the file `jwt-key` of the secrets folder, newest first, one a line. Replacing the file is a rotation,
which every process sees at its next token, without a restart.
"""

import hashlib
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

from backend import secret_files
from backend.settings import Settings

NAME = "jwt-key"
RANDOM_BYTES = 64
KEPT = 2
SHORTEST = 32  # characters; HMAC-SHA256 wants a key of 32 bytes (RFC 7518, 3.2)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """One key. `kid` names it in a token's header and tells nothing about it."""

    kid: str
    secret: str


class Keys:
    """The keys of one installation, as the file says at this moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def newest(self) -> Key:
        """The key that signs. Raises ValueError where the file holds none."""
        return self._current()[0]

    def find(self, kid: str) -> Key | None:
        """The key of that name, if it is the newest or the one before."""
        return next((key for key in self._current() if key.kid == kid), None)

    def _current(self) -> tuple[Key, ...]:
        try:
            status = self._path.stat()  # 2 µs, and follows the link that a mounted secret is
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._keys, self._seen = read(self._path), seen
        except (OSError, ValueError):
            if not self._keys:
                raise
            log.exception("%s cannot be read: the keys that were there before stay in use", self._path)
        return self._keys


def open_keys(settings: Settings) -> Keys:
    """The keys of this installation; the first one is made if there is none."""
    secret_files.secret(settings, NAME, RANDOM_BYTES)
    return Keys(settings.secrets / NAME)


def read(path: Path) -> tuple[Key, ...]:
    """The keys in that file, newest first. Raises ValueError for one that is too short, or none at all."""
    lines = path.read_text(encoding="utf-8").split()[:KEPT]
    if not lines or any(len(line) < SHORTEST for line in lines):
        raise ValueError(f"{path} must hold one or two keys, a line each, of {SHORTEST} characters or more")
    return tuple(Key(hashlib.sha256(b"kid " + line.encode()).hexdigest()[:16], line) for line in lines)


def rotate(settings: Settings) -> None:
    """A new key signs from now on; tokens that the newest one until now has signed are good until they end.

    Tokens of the key before that are worthless. Raises PermissionError where the folder cannot be written.
    """
    path = settings.secrets / NAME
    before = [key.secret for key in read(path)] if path.exists() else []
    secret_files.replace(path, "\n".join([secrets.token_urlsafe(RANDOM_BYTES), *before][:KEPT]))
