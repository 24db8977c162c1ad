"""Every call by every role and by nobody: let in are exactly those that the OpenAPI document names."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from backend.accounts import MACHINES, PEOPLE, ROLES
from tests.conftest import Api

OWN = {"/accounts/{id}/tokens": "me", "/accounts/{id}/tokens/{token}": "me"}  # others' are refused to who may call it
FEEDS = {("POST", "/observations"), ("POST", "/predict"), ("GET", "/status")}


def calls(api: Api) -> Iterator[tuple[str, str, dict[str, Any], frozenset[str] | None]]:
    """Method, path, operation and the roles that may call it, of every call; None where nobody need log in."""
    with api.app.app_context():
        document: Any = api.app.spec
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            security = operation.get("security") or []
            named = frozenset(role for requirement in security for roles in requirement.values() for role in roles)
            roles = None if not security or {} in security else named or frozenset(ROLES)
            yield method.upper(), path.replace("{identity}", "{id}"), operation, roles


@pytest.mark.sqlite("who may call is asked before the database is")
def test_every_call_lets_in_exactly_the_roles_that_are_documented(api: Api) -> None:
    callers: dict[str | None, dict[str, str]] = {None: {}, **{role: api.bearer(role) for role in ROLES}}
    wrong, asked = [], 0
    for method, path, operation, roles in calls(api):
        if path == "/sessions" and method == "DELETE":  # ends the sessions of who asks
            continue
        url = re.sub(r"{[^}]+}", "1", path.replace("{id}", OWN.get(path, "1"), 1))
        for caller, headers in callers.items():
            body: dict[str, Any] | None = None if method == "GET" else {}
            status = api.client().open(url, method=method, headers=headers, json=body).status_code
            asked += 1
            if roles is None or caller in roles:
                fits = status not in (401, 403) or (roles is None and status == 401)
                fits = fits and str(status) in operation["responses"]
            else:
                fits = status == (401 if caller is None else 403)
            if not fits:
                wrong.append(f"{method} {path} by {caller}: {status}")
    assert not wrong and asked > 300


@pytest.mark.sqlite("the document is the same on both")
def test_a_higher_role_may_do_all_that_a_lower_one_may_and_machines_little(api: Api) -> None:
    may = {role: {call[:2] for call in calls(api) if call[3] is not None and role in call[3]} for role in ROLES}
    for lower, higher in itertools.pairwise(PEOPLE):
        assert may[lower] < may[higher], f"{higher} may do less than {lower}"
    everybody = set.intersection(*may.values())
    machines = {role: may[role] - everybody for role in MACHINES}
    assert machines["alerts"] == {("POST", "/webhooks/alerts")}
    assert machines["metrics"] == {("GET", "/metrics")}
    assert machines["feeder"] >= FEEDS
    assert all("replay" in path or "settings" in path for _, path in machines["feeder"] - FEEDS)
