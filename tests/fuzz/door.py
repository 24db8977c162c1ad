"""The application behind a door that keeps its visitor logged in and unhurried, whatever the visitor does."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from typing import Any

from sqlalchemy import Engine

from backend import accounts, options
from backend.api import bearers
from backend.app import create_app
from backend.options import Limits
from backend.settings import Settings
from backend.store import sessions, sql
from backend.store.documents import Documents, open_documents
from tests.conftest import NOON

WORD = "Bearer of any token"
PASSWORDS = ("/token", "/sessions")  # what is asked there is whether a password is right, or a session one
UNHURRIED = Limits(failures_a_minute=100_000, failures_without_wait=1000, costly_an_hour=1_000_000)


class Door:
    """A WSGI application. `WORD` as a login becomes a token that is good: a visitor who logs out, is disabled or gets
    another role is the same again at the next request. Of several roles, each has its turn. Limits are tested
    elsewhere, and here in nobody's way. `strangers` are the calls at which such a token was none, which never may be.
    """

    def __init__(self, settings: Settings, roles: Sequence[str], password_hash: str) -> None:
        self.app = create_app(settings, lambda: NOON)
        self.engine: Engine = sql.open_engine(settings.database_url)
        self.documents: Documents = open_documents(settings.documents)
        self.password_hash = password_hash
        self.strangers: list[str] = []
        for name in accounts.ROLES:
            if accounts.find(self.documents, name) is None:
                accounts.add(self.documents, name, password_hash, name, NOON)
        self._numbers: Counter[str] = Counter()
        self._turns = cycle(roles)
        self._mend()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ.get("HTTP_AUTHORIZATION") != WORD:
            return self.app(environ, start)
        environ["HTTP_AUTHORIZATION"] = f"Bearer {self._token(next(self._turns))}"

        def noted(status: str, *rest: Any) -> Any:
            if status.startswith("401") and not path.startswith(PASSWORDS):
                self.strangers.append(f"{environ['REQUEST_METHOD']} {path}")
            return start(status, *rest)

        answer = self.app(environ, noted)
        if path.startswith("/settings/"):
            self._mend()
        return answer

    def _mend(self) -> None:
        options.write(self.documents, "limits", UNHURRIED)

    def _token(self, role: str) -> str:
        account = accounts.find(self.documents, f"{role}.{self._numbers[role]}")
        if account is None or account.disabled or account.role != role:
            self._numbers[role] += 1
            account = accounts.add(self.documents, f"{role}.{self._numbers[role]}", self.password_hash, role, NOON)
        _, session = sessions.start(self.engine, "token", account.id, account.credentials_version, NOON, 3600)
        with self.app.app_context():
            return bearers.issue(account, session, NOON, 3600)
