"""Where the worlds of tests stand: in SQLite files of their homes, or in databases of one real PostgreSQL server."""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend import settings as settings_module
from backend.settings import Settings
from backend.store import migrate, sql

KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Databases:
    """One kind of database. On PostgreSQL a home's database is named after its path; `server` is the server's URL."""

    server: str | None = None

    def settings(self, home: Path, **environment: str) -> Settings:
        """The settings of the installation in that folder, whose database need not exist yet."""
        where = {} if self.server is None else {"DATABASE_URL": self._url(_name(home))}
        return settings_module.load({"PUSHBACK_HOME": str(home), **where, **environment})

    def create(self, home: Path) -> Settings:
        """A new installation with an empty database at the newest schema."""
        settings = self.settings(home)
        if self.server is not None:
            self._run(f"CREATE DATABASE {_name(home)}")
        engine = sql.open_engine(settings.database_url)
        migrate.upgrade(engine)
        engine.dispose()
        return settings

    def copy(self, source: Path, home: Path) -> Settings:
        """A new installation with the database of another home, to which nobody is connected."""
        if self.server is None:
            home.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / "live.db", home / "live.db")
        else:
            self._run(f"CREATE DATABASE {_name(home)} TEMPLATE {_name(source)}")
        return self.settings(home)

    def disconnect(self, home: Path) -> None:
        """Ends what is connected to a home's database, so that it may be copied."""
        if self.server is not None:
            self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_name(home)}'")

    def drop(self, home: Path) -> None:
        """Forgets a home's database, whoever is connected to it. An SQLite file goes with its folder."""
        if self.server is not None:
            self._run(f"DROP DATABASE IF EXISTS {_name(home)} WITH (FORCE)")

    def _url(self, database: str) -> str:
        assert self.server is not None
        return self.server.replace("/postgres?", f"/{database}?")

    def _run(self, statement: str) -> None:
        assert self.server is not None
        with closing(psycopg.connect(self.server, autocommit=True)) as connection:
            connection.execute(statement.encode())


def _name(home: Path) -> str:
    return "home_" + hashlib.sha256(str(home).encode()).hexdigest()[:24]


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL server of one's own, which listens on a socket in a folder only."""
    tools = [shutil.which(name) or _debians(name) for name in ("initdb", "postgres")]
    if not all(tools):
        pytest.skip("PostgreSQL's initdb and postgres are not installed")
    folder = Path(tempfile.mkdtemp(prefix="pushback-postgres-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        try:
            account = {"user": pwd.getpwnam("postgres").pw_uid}
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no account postgres")
        os.chown(folder, account["user"], -1)
    data = folder / "data"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "cwd": folder, **account}
    subprocess.run([str(tools[0]), "-D", str(data), "-A", "trust", "-U", "pushback"], check=True, **quiet)
    options = ["listen_addresses=", "fsync=off", "max_connections=300", "autovacuum=off"]
    settings = [word for option in options for word in ("-c", option)]
    with (folder / "log").open("w", encoding="utf-8") as errors:
        server = subprocess.Popen(
            [str(tools[1]), "-D", str(data), "-k", str(folder), *settings], stderr=errors, **quiet
        )
    try:
        url = f"postgresql://pushback@/postgres?host={folder}"
        _wait_for(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _debians(name: str) -> str | None:
    """Debian keeps the server's programs out of PATH, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else None


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            with closing(psycopg.connect(url)):
                return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise TimeoutError("PostgreSQL does not answer after 30 s")
