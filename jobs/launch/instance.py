"""Which Pushback runs on a state folder: the lock that one launcher holds, and the processes that it has started."""

import fcntl
import os
from pathlib import Path

import psutil

from jobs.launch.refused import Refused

# Each process of an instance carries this in its environment, and so do the processes that it starts.
MARK = "PUSHBACK_INSTANCE"


def take_lock(home: Path) -> int:
    """Locks the state folder and writes our process id to `up.pid`; returns the descriptor that holds the lock.

    A fork or a child that is given the descriptor keeps the lock, so it outlives a launcher that was killed.
    Raises Refused, naming the process that runs, if the folder is in use.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Refused(_in_use(home)) from None
    if processes_of(home):  # they were started by a launcher that was killed together with all that held its lock
        os.close(lock)
        raise Refused(_in_use(home))
    (home / "up.pid").write_text(f"{os.getpid()}\n", encoding="ascii")
    return lock


def give_back(home: Path, lock: int) -> None:
    """Ends what `take_lock` began."""
    (home / "up.pid").unlink(missing_ok=True)
    os.close(lock)


def is_locked(home: Path) -> bool:
    """Whether a launcher, or what it left behind, holds the lock."""
    if not (home / "lock").exists():
        return False
    lock = os.open(home / "lock", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def launcher_of(home: Path) -> psutil.Process | None:
    """The launcher that runs on this folder, or None. A number that another program has by now is not taken for it."""
    path = home / "up.pid"
    text = path.read_text(encoding="ascii").strip() if path.exists() else ""
    if not text.isdecimal():
        return None
    try:
        process = psutil.Process(int(text))
        return process if "jobs.up" in " ".join(process.cmdline()) else None
    except psutil.Error:
        return None


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that carries this folder's mark, without the one that asks; wherever it stands in the tree."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                found.append(process)
        except psutil.Error:
            continue  # it has ended, or belongs to somebody else
    return found


def end(processes: list[psutil.Process], patience_seconds: float) -> None:
    """Asks processes to end, and kills those that have not after `patience_seconds`."""
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            try:
                ask(process)
            except psutil.NoSuchProcess:
                continue
        _, processes = psutil.wait_procs(processes, timeout=patience_seconds)


def _in_use(home: Path) -> str:
    launcher = launcher_of(home)
    if launcher:
        return (
            f"Pushback already runs on {home}: its launcher is process {launcher.pid}. Stop it with `make down`, "
            "or start a second one with a folder and ports of its own (PUSHBACK_HOME, API_PORT, UI_PORT, MLFLOW_PORT)."
        )
    pids = ", ".join(str(process.pid) for process in processes_of(home)) or "unknown"
    return f"The launcher of {home} was killed, but what it started still runs (processes {pids}): `make down` ends it."
