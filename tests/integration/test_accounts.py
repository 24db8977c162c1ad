"""Accounts: passwords, ends, and the secrets of the first start."""

import multiprocessing
import time
from pathlib import Path

import pytest

from backend import accounts, settings
from backend.settings import Settings
from backend.store.documents import Documents, open_documents

PASSWORD = "a long enough one"
FIRST = ["admin", "alerts", "feeder", "metrics"]


@pytest.fixture(name="documents")
def make_documents(tmp_path: Path) -> Documents:
    return open_documents(tmp_path / "documents.json")


def test_only_the_right_password_opens_an_account(documents: Documents) -> None:
    account = accounts.create(documents, "anna", PASSWORD, "viewer", 0)
    assert accounts.verify(documents, "anna", PASSWORD) == account
    assert accounts.verify(documents, "anna", PASSWORD + "x") is None
    assert accounts.verify(documents, "nobody", PASSWORD) is None


def test_a_disabled_account_does_not_open_until_it_is_enabled(documents: Documents) -> None:
    account = accounts.create(documents, "anna", PASSWORD, "viewer", 0)
    accounts.disable(documents, account.id)
    assert accounts.verify(documents, "anna", PASSWORD) is None
    accounts.enable(documents, account.id)
    assert accounts.verify(documents, "anna", PASSWORD) is not None


def test_a_reset_makes_the_old_password_worthless_and_raises_the_credentials_version(documents: Documents) -> None:
    account = accounts.create(documents, "anna", PASSWORD, "viewer", 0)
    accounts.reset_password(documents, account.id, "another long one")
    assert accounts.verify(documents, "anna", PASSWORD) is None
    after = accounts.verify(documents, "anna", "another long one")
    assert after is not None and after.credentials_version > account.credentials_version


def test_passwords_are_stored_as_argon2_hashes_only(documents: Documents, tmp_path: Path) -> None:
    accounts.create(documents, "anna", PASSWORD, "viewer", 0)
    text = (tmp_path / "documents.json").read_text(encoding="utf-8")
    assert PASSWORD not in text and "$argon2id$" in text


@pytest.mark.parametrize(
    ("username", "password", "role", "complaint"),
    [
        ("anna", "too short", "viewer", "at least 12"),
        ("anna", "x" * 1001, "viewer", "at most 1000"),
        ("Anna", PASSWORD, "viewer", "is no username"),
        ("a b", PASSWORD, "viewer", "is no username"),
        ("anna", PASSWORD, "root", "is no role"),
    ],
)
def test_what_is_not_acceptable_is_refused(
    documents: Documents, username: str, password: str, role: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        accounts.create(documents, username, password, role, 0)
    assert accounts.find(documents, username) is None


def test_a_username_is_taken_once(documents: Documents) -> None:
    accounts.create(documents, "anna", PASSWORD, "viewer", 0)
    with pytest.raises(ValueError, match="already"):
        accounts.create(documents, "anna", PASSWORD, "admin", 0)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(documents: Documents) -> None:
    accounts.create(documents, "anna", PASSWORD, "viewer", 0)
    accounts.verify(documents, "nobody", "warm-up")

    def fastest(username: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            accounts.verify(documents, username, "wrong")
            times.append(time.perf_counter() - start)
        return min(times)

    assert fastest("nobody") > 0.5 * fastest("anna")


def _first_start(home: str, start: object) -> None:
    installation = settings.load({"PUSHBACK_HOME": home})
    documents = open_documents(installation.documents)
    start.wait()  # type: ignore[attr-defined]
    accounts.first_start(installation, documents)


def password_of(installation: Settings, name: str) -> str:
    return (installation.secrets / f"{name}-password").read_text(encoding="utf-8").strip()


def test_processes_that_start_together_agree_on_one_account_each_and_one_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(4)
    processes = [spawn.Process(target=_first_start, args=(str(tmp_path / "home"), start)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    installation = settings.load({"PUSHBACK_HOME": str(tmp_path / "home")})
    documents = open_documents(installation.documents)
    assert [(one.username, one.role) for one in accounts.listing(documents)] == [(name, name) for name in FIRST]
    assert all(accounts.verify(documents, name, password_of(installation, name)) for name in FIRST)
    secrets = ["jwt-key", "ui-cookie-key", "ui-api-key", *(f"{name}-password" for name in FIRST)]
    assert sorted(path.name for path in installation.secrets.iterdir()) == sorted(secrets)
    assert {path.stat().st_mode & 0o777 for path in installation.secrets.iterdir()} == {0o600}


def test_a_later_start_changes_neither_secrets_nor_accounts(tmp_path: Path) -> None:
    installation = settings.load({"PUSHBACK_HOME": str(tmp_path / "home")})
    documents = open_documents(installation.documents)
    accounts.first_start(installation, documents)
    before = {path.name: path.read_bytes() for path in installation.secrets.iterdir()}
    stored = Path(installation.documents).read_bytes()
    accounts.first_start(installation, documents)
    assert {path.name: path.read_bytes() for path in installation.secrets.iterdir()} == before
    assert Path(installation.documents).read_bytes() == stored


def test_an_installation_from_before_there_were_machines_gets_them(tmp_path: Path) -> None:
    installation = settings.load({"PUSHBACK_HOME": str(tmp_path / "home")})
    documents = open_documents(installation.documents)
    anna = accounts.add(documents, "anna", "her hash", "admin", 0)
    accounts.first_start(installation, documents)
    made = {one.username: one for one in accounts.listing(documents)}
    assert made.pop("anna") == anna and sorted(made) == sorted(accounts.MACHINES)
    assert accounts.verify(documents, "feeder", password_of(installation, "feeder")) == made["feeder"]
    assert not (installation.secrets / "admin-password").exists(), "an admin was there, and got no second password"


def test_what_an_admin_made_of_a_machine_stays_so(tmp_path: Path) -> None:
    installation = settings.load({"PUSHBACK_HOME": str(tmp_path / "home")})
    documents = open_documents(installation.documents)
    accounts.first_start(installation, documents)
    made = {one.username: one.id for one in accounts.listing(documents)}
    accounts.disable(documents, made["feeder"])
    accounts.reset_password(documents, made["alerts"], PASSWORD)
    documents.table("accounts").remove(doc_ids=[made["metrics"]])  # type: ignore[list-item]
    stored = Path(installation.documents).read_bytes()
    accounts.first_start(installation, documents)
    assert Path(installation.documents).read_bytes() == stored
