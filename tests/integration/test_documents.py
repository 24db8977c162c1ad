"""The document store under several processes, and under kill -9."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tinydb import where

from backend import accounts
from backend.store.documents import open_documents

spawn = multiprocessing.get_context("spawn")


def _add_accounts(path: Path, writer: int, count: int) -> None:
    documents = open_documents(path)
    for number in range(count):
        accounts.add(documents, f"writer{writer}-{number}", "an Argon2 hash", "viewer", 0)


def test_four_processes_writing_200_accounts_each_lose_none(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    writers = [spawn.Process(target=_add_accounts, args=(path, writer, 200)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(240)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    rows = open_documents(path).table("accounts").all()
    assert {row["username"] for row in rows} == {f"writer{w}-{n}" for w in range(4) for n in range(200)}
    assert len({row.doc_id for row in rows}) == 800


def _watch(path: Path, identity: str, pipe: object) -> None:
    documents = open_documents(path)
    while pipe.recv() == "read":  # type: ignore[attr-defined]
        account = accounts.by_id(documents, identity)
        assert account is not None
        found = accounts.find(documents, account.username)
        assert found is not None
        pipe.send((account.disabled, found.disabled))  # type: ignore[attr-defined]


def test_an_account_that_one_process_disables_is_disabled_for_the_others_at_their_next_read(tmp_path: Path) -> None:
    documents = open_documents(tmp_path / "documents.json")
    account = accounts.add(documents, "anna", "an Argon2 hash", "viewer", 0)
    ours, theirs = spawn.Pipe()
    watcher = spawn.Process(target=_watch, args=(tmp_path / "documents.json", account.id, theirs))
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
from pathlib import Path
from backend.store.documents import open_documents
table = open_documents(Path(sys.argv[1])).table("accounts")
print("ready", flush=True)
number = 0
while True:
    table.insert({"number": number, "filler": "x" * 2000})
    print(number, flush=True)
    number += 1
"""


def test_a_writer_killed_at_any_moment_leaves_a_file_with_all_that_it_had_finished(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    finished = 0
    for round_number in range(25):
        command = [sys.executable, "-c", WRITE_FOREVER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.01 + 0.007 * round_number)
            writer.send_signal(signal.SIGKILL)
            said = writer.stdout.read().splitlines()
        finished += len(said)
        if path.exists():
            json.loads(path.read_text(encoding="utf-8"))
        stored = len(open_documents(path).table("accounts"))
        assert finished <= stored <= finished + 1  # the one in hand may be in or out, and is never half in
        finished = stored
    assert finished > 25


def test_changing_what_was_read_changes_nothing_that_is_stored(tmp_path: Path) -> None:
    documents = open_documents(tmp_path / "documents.json")
    identity = documents.table("settings").insert({"thresholds": {"high": 0.5}})
    read = documents.table("settings").get(doc_id=identity)
    assert read is not None
    read["thresholds"]["high"] = 0.9
    again = documents.table("settings").search(where("thresholds").exists())
    assert again[0]["thresholds"] == {"high": 0.5}


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    documents = open_documents(tmp_path / "documents.json")
    table = documents.table("settings")
    identity = table.insert({"costs": {"miss": 1}})
    with pytest.raises(TypeError):
        table.update({"costs": object()}, doc_ids=[identity])  # not JSON
    document = table.get(doc_id=identity)
    assert document is not None and document["costs"] == {"miss": 1}


def test_a_file_that_somebody_broke_by_hand_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    path.write_text("{oops", encoding="utf-8")
    with pytest.raises(ValueError, match=r"documents\.json is not JSON"):
        open_documents(path).table("accounts").all()


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    documents = open_documents(tmp_path / "documents.json")
    documents.table("accounts").insert({"password_hash": "secret"})
    assert (tmp_path / "documents.json").stat().st_mode & 0o777 == 0o600
