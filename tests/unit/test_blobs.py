"""The blob store: a name has all of its bytes or none, in a folder and in what stands for a bucket."""

import resource
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.store.blobs import Blobs


@pytest.fixture(name="blobs", params=["folder", "bucket"])
def make_blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """An empty store."""
    return Blobs(str(tmp_path / "blobs") if request.param == "folder" else f"memory://{uuid.uuid4().hex}")


def test_what_is_written_in_parts_has_its_name_when_it_is_whole(blobs: Blobs) -> None:
    with blobs.writing("a/b.csv") as handle:
        handle.write(b"one ")
        handle.write(b"two")
        assert "a/b.csv" not in blobs.below("a")
    assert blobs.read("a/b.csv") == b"one two" and blobs.size("a/b.csv") == 7
    with blobs.open("a/b.csv") as handle:
        assert handle.read(3) == b"one"
    assert list(blobs.below("a")) == ["a/b.csv"] and abs(blobs.below("a")["a/b.csv"] - time.time()) < 60


def test_what_breaks_off_leaves_nothing_and_the_old_bytes_stay(blobs: Blobs) -> None:
    blobs.write("kept/a", b"old")
    for name in ("kept/a", "new/a"):
        with pytest.raises(KeyError), blobs.writing(name) as handle:
            handle.write(b"half")
            raise KeyError
    assert list(blobs.below("kept")) == ["kept/a"] and blobs.read("kept/a") == b"old"
    assert not blobs.below("new") and not blobs.below("never")


def test_a_folder_goes_with_all_that_is_in_it_and_twice_is_once(blobs: Blobs) -> None:
    for name in ("a/1/x", "a/1/y", "a/2/x"):
        blobs.write(name, b"")
    blobs.delete("a/1/x")
    blobs.delete("a/1/x")
    assert set(blobs.below("a")) == {"a/1/y", "a/2/x"}
    blobs.delete("a/1")
    blobs.delete("a/1")
    assert list(blobs.below("a")) == ["a/2/x"]


@contextmanager
def no_file_over(count: int) -> Iterator[None]:
    """A disk on which no file may be longer than that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "blobs"))
    with pytest.raises(OSError, match="too large"), no_file_over(100_000), blobs.writing("a/b") as handle:
        handle.write(b"x" * 200_000)
    assert not (tmp_path / "blobs" / "a").exists()
