"""The API over a small real world, asked by accounts of its own."""

from dataclasses import dataclass, replace
from typing import Any

from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from backend import accounts
from backend.app import create_app
from backend.store import sql
from backend.store.documents import open_documents
from tests.conftest import NOON, PASSWORD, World

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Served:
    """One API process over a world; `headers` are a viewer's."""

    world: World
    app: APIFlask
    engine: Engine
    headers: dict[str, str]

    @classmethod
    def over(cls, world: World, password_hash: str) -> "Served":
        """A new process, as a second worker would be."""
        documents = open_documents(world.settings.documents)
        for role in accounts.ROLES:
            account = accounts.find(documents, role)
            if account is None:
                accounts.add(documents, role, password_hash, role, NOON)
            else:  # a machine's, which the first process over this world has made with a secret of its own
                documents.table("accounts").update({"password_hash": password_hash}, doc_ids=[account.id])  # type: ignore[list-item]
        app = create_app(world.settings, lambda: NOON)
        made = cls(world, app, sql.open_engine(world.settings.database_url), {})
        made.headers.update(made.bearer("viewer"))
        return made

    @property
    def client(self) -> FlaskClient:
        """A client that is not logged in."""
        return self.app.test_client()

    def bearer(self, role: str) -> dict[str, str]:
        """The header of a request by that role."""
        form = {"grant_type": "password", "username": role, "password": PASSWORD}
        answer = self.client.post("/token", data=form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}

    def by(self, role: str) -> "Served":
        """The same process, asked by another account: an account that asks the same again is told the same."""
        return replace(self, headers=self.bearer(role))

    def get(self, path: str) -> Any:
        """The response to a viewer."""
        return self.client.get(path, headers=self.headers)

    def listed(self, query: str = "") -> list[dict[str, Any]]:
        """Flights of one page."""
        answer = self.get(f"/flights{query}")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.get_json()["items"]
        return items

    def coming(self) -> list[dict[str, Any]]:
        """The flights of the next 24 hours."""
        return self.listed("?until=2013-04-02T04:00:00Z&limit=500")

    def post(self, body: Any) -> Any:
        """The response to a viewer's POST /predict."""
        return self.client.post("/predict", json=body, headers=self.headers)

    def predict(self, flights: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
        """The predictions for those flights."""
        answer = self.post({"flights": flights, **more})
        assert answer.status_code == 200, answer.text
        answers: list[dict[str, Any]] = answer.get_json()["predictions"]
        return answers


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem details of an answer, which has that status."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == PROBLEM
    body: dict[str, Any] = answer.get_json(force=True)
    assert set(body) == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status and body["title"] and body["detail"]
    return body
