"""The document store, in a file and in a PostgreSQL, under several processes, and under kill -9."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from tinydb import where

from backend import accounts
from backend.settings import Settings
from backend.store import shared_row
from backend.store.documents import open_documents
from backend.store.shared import DocumentsError
from tests.databases import Databases

spawn = multiprocessing.get_context("spawn")
Place = Path | str


@pytest.fixture(name="place")
def make_place(databases: Databases, home: Settings) -> Place:
    """Where documents are kept that nobody has written yet: a file, or a PostgreSQL."""
    return home.documents if databases.server is None else home.database_url


def _add_accounts(place: Place, writer: int, count: int) -> None:
    documents = open_documents(place)
    for number in range(count):
        accounts.add(documents, f"writer{writer}-{number}", "an Argon2 hash", "viewer", 0)


def test_four_processes_writing_many_accounts_each_lose_none(place: Place) -> None:
    each = 200 if isinstance(place, Path) else 50
    writers = [spawn.Process(target=_add_accounts, args=(place, writer, each)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(240)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    rows = open_documents(place).table("accounts").all()
    assert {row["username"] for row in rows} == {f"writer{w}-{n}" for w in range(4) for n in range(each)}
    assert len({row.doc_id for row in rows}) == 4 * each


def _watch(place: Place, identity: str, pipe: object) -> None:
    documents = open_documents(place)
    while pipe.recv() == "read":  # type: ignore[attr-defined]
        account = accounts.by_id(documents, identity)
        assert account is not None
        found = accounts.find(documents, account.username)
        assert found is not None
        pipe.send((account.disabled, found.disabled))  # type: ignore[attr-defined]


def test_an_account_that_one_process_disables_is_disabled_for_the_others_at_their_next_read(place: Place) -> None:
    documents = open_documents(place)
    account = accounts.add(documents, "anna", "an Argon2 hash", "viewer", 0)
    ours, theirs = spawn.Pipe()
    watcher = spawn.Process(target=_watch, args=(place, account.id, theirs))
    watcher.start()

    def reads() -> tuple[bool, bool]:
        ours.send("read")
        assert ours.poll(30)
        result: tuple[bool, bool] = ours.recv()
        return result

    for _ in range(20):
        assert reads() == (False, False)
        accounts.disable(documents, account.id)
        assert reads() == (True, True)
        accounts.enable(documents, account.id)
    ours.send("stop")
    watcher.join(30)
    assert watcher.exitcode == 0


def test_a_write_of_the_same_size_within_one_tick_of_the_file_system_clock_is_seen(tmp_path: Path) -> None:
    """Inodes are used again, times are coarse: neither may hide a newer file."""
    path = tmp_path / "documents.json"
    ours, other = open_documents(path), open_documents(path)
    identity = ours.table("accounts").insert({"number": 100})
    for number in range(100, 400):
        other.table("accounts").update({"number": number}, doc_ids=[identity])
        os.utime(path, ns=(0, 0))
        document = ours.table("accounts").get(doc_id=identity)
        assert document is not None and document["number"] == number


WRITE_FOREVER = """
import sys
from backend.store.documents import open_documents
table = open_documents(sys.argv[1]).table("accounts")
print("ready", flush=True)
number = 0
while True:
    table.insert({"number": number, "filler": "x" * 2000})
    print(number, flush=True)
    number += 1
"""


def test_a_writer_killed_at_any_moment_leaves_all_that_it_had_finished(place: Place) -> None:
    finished, rounds = 0, 25 if isinstance(place, Path) else 8
    for round_number in range(rounds):
        command = [sys.executable, "-c", WRITE_FOREVER, str(place)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.01 + 0.007 * round_number)
            writer.send_signal(signal.SIGKILL)
            said = writer.stdout.read().splitlines()
        finished += len(said)
        if isinstance(place, Path) and place.exists():
            json.loads(place.read_text(encoding="utf-8"))
        with open_documents(place) as documents, documents.writing():  # once nothing of the killed one is under way
            stored = len(documents.table("accounts"))
        assert finished <= stored <= finished + 1  # the one in hand may be in or out, and is never half in
        finished = stored
    assert finished > rounds


def test_changing_what_was_read_changes_nothing_that_is_stored(place: Place) -> None:
    documents = open_documents(place)
    identity = documents.table("settings").insert({"thresholds": {"high": 0.5}})
    read = documents.table("settings").get(doc_id=identity)
    assert read is not None
    read["thresholds"]["high"] = 0.9
    again = documents.table("settings").search(where("thresholds").exists())
    assert again[0]["thresholds"] == {"high": 0.5}


def test_a_change_that_fails_changes_nothing(place: Place) -> None:
    documents = open_documents(place)
    table = documents.table("settings")
    identity = table.insert({"costs": {"miss": 1}})
    with pytest.raises(TypeError):
        table.update({"costs": object()}, doc_ids=[identity])  # not JSON
    document = table.get(doc_id=identity)
    assert document is not None and document["costs"] == {"miss": 1}


def test_a_file_that_somebody_broke_by_hand_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    path.write_text("{oops", encoding="utf-8")
    with pytest.raises(DocumentsError, match=r"documents\.json is not JSON"):
        open_documents(path).table("accounts").all()


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    documents = open_documents(tmp_path / "documents.json")
    documents.table("accounts").insert({"password_hash": "secret"})
    assert (tmp_path / "documents.json").stat().st_mode & 0o777 == 0o600


def test_a_thread_that_reads_while_another_writes_sees_what_was_before(place: Place) -> None:
    documents = open_documents(place)
    identity = documents.table("settings").insert({"number": 1})
    seen: list[object] = []

    def read() -> None:
        document = documents.table("settings").get(doc_id=identity)
        seen.append(document and document["number"])

    with documents.writing():
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(10)
        documents.table("settings").update({"number": 2}, doc_ids=[identity])
        read()
    read()
    assert seen == [1, 2, 2]


@pytest.mark.postgresql("since a file has no such limit")
def test_who_waits_too_long_for_another_that_writes_is_told_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = open_documents(place), open_documents(place)
    monkeypatch.setattr(shared_row, "_PATIENCE", text("SELECT set_config('lock_timeout', '100ms', true)"))
    with other.writing(), pytest.raises(DocumentsError, match="another process has been writing"):
        ours.table("settings").insert({})
    assert len(ours.table("settings")) == 0


@pytest.mark.postgresql("since a file is always reached")
def test_a_database_that_cannot_be_reached_is_named(place: Place) -> None:
    with pytest.raises(DocumentsError, match="DOCUMENTS_URL"):
        open_documents(str(place).replace("/home_", "/nowhere_"))


@pytest.mark.postgresql("since a file has no connections")
def test_a_database_that_was_started_anew_is_read_again_at_once(
    place: Place, databases: Databases, home: Settings
) -> None:
    documents = open_documents(place)
    documents.table("settings").insert({"number": 1})
    assert len(documents.table("settings")) == 1
    databases.disconnect(home.home)
    assert len(documents.table("settings")) == 1
    databases.disconnect(home.home)
    documents.table("settings").insert({"number": 2})
    assert len(documents.table("settings")) == 2
