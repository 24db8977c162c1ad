"""Secrets as files of mode 0600, one each, in the secrets folder: made where they are missing, replaced whole.

The folder may also be one that is mounted read-only, where everything stands already.
"""

import os
import secrets
from pathlib import Path

from backend.settings import Settings
from backend.store.shared_file import sync_folder


def secret(settings: Settings, name: str, random_bytes: int) -> str:
    """The secret of that name; made, once, if it is missing. A reader never sees half of one.

    Raises PermissionError, with what to do, where it is missing and the folder cannot be written.
    """
    path = settings.secrets / name
    if not path.exists():
        place(path, secrets.token_urlsafe(random_bytes))
    return path.read_text(encoding="utf-8").strip()


def place(path: Path, value: str) -> None:
    """Puts a secret into its file, unless another process was first: a link is made or refused, never replaced."""
    new = _written(path, value)
    try:
        try:
            os.link(new, path)
        except FileExistsError:
            return  # another process was first, and its secret is the one that counts
        sync_folder(path.parent)
    finally:
        new.unlink()


def replace(path: Path, value: str) -> None:
    """Puts another secret into the file: whoever reads sees the old one or the new one."""
    _written(path, value).replace(path)
    sync_folder(path.parent)


def _written(path: Path, value: str) -> Path:
    """A new file beside `path` with that value, on disk."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise PermissionError(
            f"the secret {path} cannot be written ({error.strerror}): put it there, or let this process write there"
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    return new
