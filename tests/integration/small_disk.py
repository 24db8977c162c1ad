"""A real file system of one's own that is small enough to be filled, in memory."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SIZE = 320 * 2**20
SHARED = Path("/dev/shm")  # in a container of its own, and of 64 MiB as a rule
NO_MORE_THAN = 2**30  # is filled of what others use too
SMALL = 24 * 2**20  # is left of it


@dataclass(frozen=True)
class SmallDisk:
    """It is mounted at `folder`, or that is a folder in it."""

    folder: Path

    @property
    def size(self) -> int:
        """In bytes."""
        return shutil.disk_usage(self.folder).total

    def fill(self) -> None:
        """Leaves no byte free."""
        self._take("filling", keep=0)
        with contextlib.suppress(OSError), (self.folder / "rest").open("wb", buffering=0) as rest:
            while True:
                rest.write(b"\0" * 4096)

    def make_room(self) -> None:
        """Deletes what filled it."""
        for name in ("filling", "rest", "ballast"):
            (self.folder / name).unlink(missing_ok=True)

    def make_small(self) -> None:
        """Leaves little free, so that nobody else places anything there meanwhile."""
        self._take("ballast", keep=SMALL)

    def _take(self, name: str, keep: int) -> None:
        wanted = shutil.disk_usage(self.folder).free - keep
        if wanted > 0:
            with (self.folder / name).open("wb") as handle:
                os.posix_fallocate(handle.fileno(), 0, wanted)


@contextlib.contextmanager
def small_disk(mount: Path) -> Iterator[SmallDisk]:
    """One that is mounted there; where mounting is not permitted, as in most containers, the container's own memory."""
    mount.mkdir()
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    words = ["-t", "tmpfs", "-o", f"size={SIZE},mode=0777", "pushback-test", str(mount)]
    if _runs([*root, "mount", *words]):
        try:
            yield SmallDisk(mount)
        finally:
            subprocess.run([*root, "umount", "--lazy", str(mount)], check=True)
        return
    if not os.access(SHARED, os.W_OK) or shutil.disk_usage(SHARED).total > NO_MORE_THAN:
        pytest.skip("a small file system can be mounted neither here nor by sudo, and /dev/shm is none")
    folder = SHARED / f"pushback-test-{os.getpid()}"
    folder.mkdir()
    try:
        disk = SmallDisk(folder)
        disk.make_small()
        yield disk
    finally:
        shutil.rmtree(folder)


def _runs(words: list[str]) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
