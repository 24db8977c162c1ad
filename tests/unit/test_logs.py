"""Lines of the log: their shape, what is masked in them, and the files that they are kept in."""

import json
import logging
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.monitoring import logs
from backend.monitoring.log_file import RotatedFile

spawn = multiprocessing.get_context("spawn")
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def line_of(message: str, *arguments: Any, logger: str = "pushback.test", **extra: Any) -> dict[str, Any]:
    record = logging.getLogger(logger).makeRecord(
        logger, logging.WARNING, __file__, 1, message, arguments, sys.exc_info(), None, extra
    )
    text = logs.JsonLines("api").format(record)
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_a_line_says_when_what_who_and_all_that_it_was_given() -> None:
    line = line_of("refused %s", "a caller", decision="refused", failures=3)
    assert line["time"].endswith("Z") and len(line["time"]) == len("2026-11-23T12:00:00.000Z")
    assert (line["level"], line["logger"], line["part"]) == ("WARNING", "pushback.test", "api")
    assert (line["message"], line["decision"], line["failures"]) == ("refused a caller", "refused", 3)
    assert "request_id" not in line


def test_an_exception_is_one_line_with_its_traceback() -> None:
    try:
        raise ValueError("oops\nagain")
    except ValueError:
        line = line_of("failed")
        assert line["exception"].startswith("Traceback") and line["exception"].endswith("ValueError: oops\nagain")


@pytest.mark.parametrize("value", [float("nan"), {1: {2}}, Path("/"), b"bytes", {("a",): 1}], ids=repr)
def test_a_value_that_json_does_not_know_loses_no_line(value: Any) -> None:
    assert line_of("kept", value=value)["message"] == "kept"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("got Authorization: Bearer s3cr3tS3cr3t", "got Authorization: Bearer ***"),
        ("basic czNjcjN0OnMzY3IzdA== is wrong", "basic *** is wrong"),
        (f"the token {JWT} is over", "the token *** is over"),
        ("GET /drift/1/report?ticket=s3cr3tS3cr3t HTTP/1.1", "GET /drift/1/report?*** HTTP/1.1"),
        ("grant_type=password&password=s3cr3t&x=1", "grant_type=password&password=***&x=1"),
        ('{"username": "anna", "password": "s3cr3t"}', '{"username": "anna", "password": "***"}'),
        ("cannot reach postgresql://anna:s3cr3t@db.example/x", "cannot reach postgresql://***@db.example/x"),
        ("what is this? a session that ended: log in", "what is this? a session that ended: log in"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_the_rest_is_not(said: str, kept: str) -> None:
    assert line_of(said)["message"] == kept
    assert line_of("%s", said, more={"deep": [said]})["more"]["deep"] == [kept]
    try:
        raise ValueError(said)
    except ValueError:
        assert kept in line_of("failed")["exception"]


def test_a_field_whose_name_is_a_secret_s_is_masked_and_a_token_s_name_is_not() -> None:
    line = line_of("who", password="s3cr3t", Authorization="s3cr3t", token="night shift")
    assert "s3cr3t" not in json.dumps(line) and line["token"] == "night shift"


def _write(path: Path, writer: int, lines: int) -> None:
    file = RotatedFile(path, 4000, 200)
    for number in range(lines):
        file.write(f"{writer} {number} {'x' * (number % 90)}\n".encode())


def test_three_processes_that_fill_one_file_again_and_again_lose_no_line_and_tear_none(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "api.jsonl"
    writers = [spawn.Process(target=_write, args=(path, writer, 1500)) for writer in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
    assert [process.exitcode for process in writers] == [0, 0, 0]
    files = [file for file in path.parent.iterdir() if file.suffix != ".lock"]
    assert len(files) > 20
    written = [line for file in files for line in file.read_text().splitlines()]
    assert sorted(written) == sorted(f"{w} {n} {'x' * (n % 90)}" for w in range(3) for n in range(1500))
    assert all(file.stat().st_size <= 4000 + 300 for file in files)  # three lines may be on their way
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_no_more_files_are_kept_than_were_asked_for(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "worker.jsonl", 100, 2)
    for number in range(50):
        file.write(f"{number:09}\n".encode())
    kept = ["worker.jsonl", "worker.jsonl.1", "worker.jsonl.2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*kept, "worker.jsonl.lock"]
    text = "".join((tmp_path / name).read_text() for name in reversed(kept))
    assert text == "".join(f"{number:09}\n" for number in range(20, 50))


def test_a_file_that_somebody_deletes_is_made_again(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "api.jsonl", 100, 1)
    file.write(b"one\n")
    (tmp_path / "api.jsonl").unlink()
    file.write(b"two\n")
    assert (tmp_path / "api.jsonl").read_text() == "two\n"


def test_what_the_disk_has_no_room_for_goes_to_stderr(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "api.jsonl").symlink_to("/dev/full")
    handler = logs.ToFile(RotatedFile(tmp_path / "api.jsonl", 100, 1))
    handler.setFormatter(logs.JsonLines("api"))
    handler.handle(logging.makeLogRecord({"msg": "the disk is full", "levelname": "INFO", "levelno": logging.INFO}))
    assert json.loads(capsys.readouterr().err)["message"] == "the disk is full"
