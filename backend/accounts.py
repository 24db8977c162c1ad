"""Who may use this installation: accounts with Argon2 hashes and roles, and the secrets that the first start makes."""

import re
from dataclasses import dataclass
from typing import Any

from tinydb import where
from tinydb.table import Document

from backend import passwords, signing
from backend.secret_files import secret
from backend.settings import Settings
from backend.store.documents import Documents, SharedTable

PEOPLE = ("viewer", "analyst", "operator", "admin")
MACHINES = ("feeder", "alerts", "metrics")
ROLES = PEOPLE + MACHINES
MADE = "machines"  # the table that says which of them were made once
VOUCHER_KEY = "ui-api-key"
USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")


def roles_up_to(role: str) -> tuple[str, ...]:
    """What an account of that role may let somebody else be: a person at most what that person is."""
    return PEOPLE[: PEOPLE.index(role) + 1] if role in PEOPLE else (role,)


@dataclass(frozen=True)
class Account:
    """One account. `id` is a UUID. `credentials_version` grows when what was given out before must end."""

    id: str
    username: str
    role: str
    disabled: bool
    credentials_version: int


def create(documents: Documents, username: str, password: str, role: str, now: int) -> Account:
    """A new account with that password. Raises ValueError where name, password or role is not acceptable."""
    passwords.require_acceptable(password, username)
    return add(documents, username, passwords.hash_of(password), role, now)


def add(documents: Documents, username: str, password_hash: str, role: str, now: int) -> Account:
    """A new account whose Argon2 hash is known. `now` in epoch seconds. Raises ValueError like `create`."""
    if not USERNAME.fullmatch(username):
        raise ValueError(
            f"{username!r} is no username: give 2 to 64 lower-case letters, digits, dots, dashes, underscores or @, "
            "starting with a letter or a digit"
        )
    if role not in ROLES:
        raise ValueError(f"{role!r} is no role: give one of {', '.join(ROLES)}")
    with documents.writing():
        if find(documents, username) is not None:
            raise ValueError(f"there is an account {username!r} already: choose another username")
        document = {"username": username, "password_hash": password_hash, "role": role, "disabled": False}
        identity: Any = _table(documents).insert({**document, "credentials_version": 1, "created_at": now})
    return Account(identity, username, role, False, 1)


def verify(documents: Documents, username: str, password: str) -> Account | None:
    """The account of that name if the password is right and it is not disabled; None otherwise.

    Takes one Argon2 check (0.1 s) whether there is such an account or not, so that the time tells nothing.
    """
    document = _table(documents).get(where("username") == username)
    password_hash = passwords.nobodys_hash() if document is None else document["password_hash"]
    if not passwords.matches(password_hash, password) or document is None:
        return None
    account = _account(document)
    return None if account.disabled else account


def by_id(documents: Documents, identity: str) -> Account | None:
    """The account with that UUID as it is now, or None."""
    document = _table(documents).get(doc_id=identity)  # type: ignore[call-overload]
    return None if document is None else _account(document)


def find(documents: Documents, username: str) -> Account | None:
    """The account with that name as it is now, or None."""
    document = _table(documents).get(where("username") == username)
    return None if document is None else _account(document)


def listing(documents: Documents) -> list[Account]:
    """All accounts, by name."""
    return sorted((_account(document) for document in _table(documents).all()), key=lambda account: account.username)


def disable(documents: Documents, identity: str) -> None:
    """Ends an account: its password, its sessions and its tokens.

    Raises KeyError if there is none, and ValueError for the only admin that is left.
    """
    _change(documents, identity, {"disabled": True})


def give_role(documents: Documents, identity: str, role: str) -> None:
    """Gives an account another role and ends what the old one had opened. Raises ValueError, KeyError as `disable`."""
    if role not in ROLES:
        raise ValueError(f"{role!r} is no role: give one of {', '.join(ROLES)}")
    _change(documents, identity, {"role": role})


def enable(documents: Documents, identity: str) -> None:
    """Lets a disabled account log in again; what it held before stays worthless. Raises KeyError if there is none."""
    _change(documents, identity, {"disabled": False})


def reset_password(documents: Documents, identity: str, password: str) -> int:
    """Gives an account another password and ends what the old one had opened; its credentials_version from now on.

    Raises ValueError, KeyError.
    """
    account = by_id(documents, identity)
    passwords.require_acceptable(password, "" if account is None else account.username)
    return _change(documents, identity, {"password_hash": passwords.hash_of(password)})


def first_start(settings: Settings, documents: Documents) -> None:
    """Makes the secrets that are missing (mode 0600), `admin` where no person has an account, and the machines' own.

    A machine's account is made once in the life of an installation: whatever an admin makes of it later stays. Any
    number of processes may call it at once and whenever they start.
    """
    signing.open_keys(settings)
    for name in ("ui-cookie-key", VOUCHER_KEY):
        secret(settings, name, 48)
    if not _never_made(documents):
        return
    with documents.writing():  # where several start at once, one hashes and the others wait for it
        missing = _never_made(documents)
        for username in missing:
            _make(settings, documents, username)
        documents.table(MADE).insert_multiple({"username": name} for name in missing if name in MACHINES)


def _never_made(documents: Documents) -> list[str]:
    people = any(account.role in PEOPLE for account in listing(documents))
    made = {document["username"] for document in documents.table(MADE).all()}
    return [*([] if people else ["admin"]), *(name for name in MACHINES if name not in made)]


def _make(settings: Settings, documents: Documents, username: str) -> None:
    """The account that is named like its role, with a password that stands in a secret of that name."""
    if find(documents, username) is not None:
        return
    name = f"{username}-password"
    password_hash = passwords.hash_of(secret(settings, name, 18))
    add(documents, username, password_hash, username, int((settings.secrets / name).stat().st_mtime))


def _table(documents: Documents) -> SharedTable:
    return documents.table("accounts")


def _account(document: Document) -> Account:
    return Account(
        id=str(document.doc_id),
        username=document["username"],
        role=document["role"],
        disabled=document["disabled"],
        credentials_version=document["credentials_version"],
    )


def _change(documents: Documents, identity: str, fields: dict[str, Any]) -> int:
    with documents.writing():
        account = by_id(documents, identity)
        if account is None:
            raise KeyError(f"there is no account {identity}")
        if fields.get("disabled") or fields.get("role", "admin") != "admin":
            others = (each for each in listing(documents) if each.id != identity)
            if account.role == "admin" and not any(each.role == "admin" and not each.disabled for each in others):
                raise ValueError(f"{account.username} is the only admin that is left")
        version = account.credentials_version + 1
        _table(documents).update({**fields, "credentials_version": version}, doc_ids=[identity])  # type: ignore[list-item]
    return version
