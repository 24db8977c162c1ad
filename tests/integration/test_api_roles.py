"""Every call by every role and by nobody: exactly the status that the table here says, and the document too."""

import itertools
import re
from typing import Any

import pytest

from backend.accounts import MACHINES, PEOPLE, ROLES
from backend.api.openapi import EVERYBODY, operations
from tests.conftest import Api

VIEWER, ANALYST, OPERATOR, ADMIN = (frozenset(PEOPLE[place:]) for place in range(len(PEOPLE)))
FEEDER, ALERTS, METRICS = (frozenset({role}) for role in ("feeder", "alerts", "metrics"))
LOGGED_IN, ANYBODY = frozenset(ROLES), frozenset((*ROLES, "nobody"))
# Who may make each call, and what it answers them in a world without facts where all that it is given is {}: the truth
# that the decorators of the handlers are held against. Others get 403, and nobody, where that is another, 401.
CALLS = {
    "POST /predict": (VIEWER | FEEDER, 422),
    "POST /predictions/batch": (ANALYST, 415),
    "GET /flights": (VIEWER, 200),
    "GET /flights/{id}": (VIEWER, 404),
    "GET /flights/{id}/features": (VIEWER, 404),
    "GET /predictions": (ANALYST, 200),
    "POST /observations": (FEEDER, 422),
    "GET /quality": (VIEWER, 200),
    "GET /status": (VIEWER | FEEDER, 200),
    "GET /models": (VIEWER, 200),
    "GET /models/{version}": (VIEWER, 404),
    "POST /models/{version}/promote": (OPERATOR, 422),
    "POST /models/rollback": (OPERATOR, 422),
    "GET /deployments": (VIEWER, 200),
    "GET /decisions": (VIEWER, 200),
    "GET /decisions/{id}": (VIEWER, 404),
    "GET /performance": (VIEWER, 200),
    "POST /training": (OPERATOR, 202),
    "POST /backtests": (OPERATOR, 202),
    "GET /policies": (VIEWER, 200),
    "GET /jobs": (VIEWER, 200),
    "GET /jobs/{id}": (VIEWER, 404),
    "DELETE /jobs/{id}": (VIEWER, 404),
    "GET /jobs/{id}/result": (VIEWER, 404),
    "GET /settings": (VIEWER, 200),
    "GET /settings/{name}": (VIEWER | FEEDER, 404),
    "PUT /settings/{name}": (OPERATOR, 404),
    "GET /replay": (VIEWER | FEEDER, 200),
    "PUT /replay": (FEEDER, 422),
    "DELETE /replay/{holder}": (FEEDER, 204),
    "GET /schedules": (VIEWER, 200),
    "GET /accounts": (ADMIN, 200),
    "POST /accounts": (ADMIN, 422),
    "GET /accounts/{id}": (ADMIN, 404),
    "PATCH /accounts/{id}": (ADMIN, 404),
    "POST /accounts/me/password": (LOGGED_IN, 422),
    "GET /accounts/{id}/tokens": (VIEWER, 200),
    "POST /accounts/{id}/tokens": (VIEWER, 422),
    "DELETE /accounts/{id}/tokens/{token}": (VIEWER, 404),
    "POST /token": (ANYBODY, 415),
    "POST /token/revoke": (ANYBODY, 415),
    "POST /sessions": (ANYBODY, 422),
    "POST /sessions/token": (ANYBODY, 422),
    "POST /webhooks/alerts": (ALERTS, 422),
    "GET /metrics": (METRICS | ADMIN, 200),
    "GET /health/live": (ANYBODY, 200),
    "GET /health/ready": (ANYBODY, 503),
    "GET /problems": (ANYBODY, 200),
    "GET /problems/{name}": (ANYBODY, 404),
    "DELETE /sessions": (LOGGED_IN, 204),  # the last, since it ends the session of who asks
}
FEEDS = {"POST /observations", "POST /predict", "GET /status", "PUT /replay", "GET /settings/{name}"}


@pytest.fixture(name="document")
def make_document(api: Api) -> dict[str, dict[str, Any]]:
    """What the document says of each call."""
    spec = api.client().get("/openapi.json").get_json()
    return {f"{method.upper()} {path}": operation for path, method, operation in operations(spec)}


def _url(path: str) -> str:
    """A path that asks about 1, which there is not; and about one's own tokens, since others' are an admin's."""
    return re.sub("{[^}]+}", "1", path.replace("/accounts/{id}/tokens", "/accounts/me/tokens"))


@pytest.mark.sqlite("who may call is asked before the database is")
def test_every_call_answers_every_role_and_nobody_as_the_table_says(
    api: Api, document: dict[str, dict[str, Any]]
) -> None:
    assert set(document) == set(CALLS), "say here who may make a new call, and what it answers them"
    callers = {"nobody": {}, **{role: api.bearer(role) for role in ROLES}}
    wrong = []
    for call, (may, let_in) in CALLS.items():
        method, path = call.split()
        for caller, headers in callers.items():
            expected = let_in if caller in may else 401 if caller == "nobody" else 403
            body: dict[str, Any] | None = None if method == "GET" else {}
            status = api.client().open(_url(path), method=method, headers=headers, json=body).status_code
            if status != expected or str(status) not in document[call]["responses"]:
                wrong.append(
                    f"{call} by {caller}: {status} for {expected}, documented {set(document[call]['responses'])}"
                )
    assert not wrong


@pytest.mark.sqlite("the document is the same on both")
def test_the_document_names_the_roles_of_the_table(document: dict[str, dict[str, Any]]) -> None:
    for call, (may, _) in CALLS.items():
        said = document[call]["x-roles"]
        if call == "DELETE /sessions":  # a session's own id opens it too
            assert said == EVERYBODY
        else:
            assert set(said) == (set(EVERYBODY) if may == ANYBODY else may), call


def test_a_higher_role_may_do_all_that_a_lower_one_may_and_machines_little() -> None:
    may = {role: {call for call, (roles, _) in CALLS.items() if role in roles} for role in ROLES}
    for lower, higher in itertools.pairwise(PEOPLE):
        assert may[lower] < may[higher], f"{higher} may do less than {lower}"
    everybody = set.intersection(*may.values())
    machines = {role: may[role] - everybody for role in MACHINES}
    assert machines["alerts"] == {"POST /webhooks/alerts"}
    assert machines["metrics"] == {"GET /metrics"}
    assert machines["feeder"] >= FEEDS
    assert all("replay" in call or "settings" in call for call in machines["feeder"] - FEEDS)


@pytest.mark.sqlite("no call is found in another way on the other")
def test_a_trailing_slash_changes_nothing_and_every_get_has_a_head(api: Api) -> None:
    admin = api.bearer("admin")

    def ask(method: str, path: str) -> Any:
        return api.client().open(path, method=method, headers=admin, json=None if method in ("GET", "HEAD") else {})

    for call in CALLS:
        method, path = call.split()
        answer, slashed = ask(method, _url(path)), ask(method, _url(path) + "/")
        if call == "DELETE /sessions":  # the admin has none any more
            assert (answer.status_code, slashed.status_code) == (204, 204)
            continue
        assert slashed.status_code == answer.status_code, call
        assert slashed.content_type == answer.content_type and answer.content_type != "text/html", call
        if method == "GET":
            head = ask("HEAD", _url(path))
            assert (head.status_code, head.data) == (answer.status_code, b""), call
