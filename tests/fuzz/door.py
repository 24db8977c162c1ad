"""The application behind a door that keeps its visitor logged in and unhurried, whatever the visitor does."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Engine

from backend import accounts, options
from backend.api import auth
from backend.app import create_app
from backend.options import Limits
from backend.settings import Settings
from backend.store import sessions, sql
from backend.store.documents import Documents, open_documents
from tests.conftest import NOON

WORD = "Bearer of any token"
UNHURRIED = Limits(failures_a_minute=100_000, failures_without_wait=1000, costly_an_hour=1_000_000)


class Door:
    """A WSGI application. `WORD` as a login becomes a token that is good: a visitor who logs out, is disabled or gets
    another role is the same again at the next request. Limits are tested elsewhere, and here in nobody's way."""

    def __init__(self, settings: Settings, role: str, password_hash: str) -> None:
        self.app = create_app(settings, lambda: NOON)
        self.engine: Engine = sql.open_engine(settings.database_url)
        self.documents: Documents = open_documents(settings.documents)
        self.role, self.password_hash = role, password_hash
        for name in accounts.ROLES:
            if accounts.find(self.documents, name) is None:
                accounts.add(self.documents, name, password_hash, name, NOON)
        self._number = 0
        self._mend()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION") == WORD:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self._token()}"
        answer = self.app(environ, start)
        if environ["PATH_INFO"].startswith("/settings/"):
            self._mend()
        return answer

    def _mend(self) -> None:
        options.write(self.documents, "limits", UNHURRIED)

    def _token(self) -> str:
        account = accounts.find(self.documents, f"{self.role}.{self._number}")
        if account is None or account.disabled or account.role != self.role:
            self._number += 1
            account = accounts.add(self.documents, f"{self.role}.{self._number}", self.password_hash, self.role, NOON)
        _, session = sessions.start(self.engine, "token", account.id, account.credentials_version, NOON, 3600)
        with self.app.app_context():
            return auth.issue(account, session, NOON, 3600)
