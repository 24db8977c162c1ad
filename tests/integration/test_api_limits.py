"""Passwords may be tried only so often, by each address, counted for all processes before any is checked."""

import base64
import threading
from typing import Any

import argon2
import pytest
from sqlalchemy import event

from backend import options, passwords
from backend.api.address import network_of
from backend.app import create_app
from backend.options import Limits
from tests.conftest import PASSWORD, Api
from tests.integration.served import problem

FREE = Limits().failures_without_wait
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(name="checks")
def count_checks(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every hash that Argon2 checks; the accounts' are quick ones, so that many can be."""
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    api.documents.table("accounts").update({"password_hash": quick.hash(PASSWORD)})
    checked: list[str] = []
    verify = passwords.matches  # the one place where Argon2 checks

    def counted(password_hash: str, password: str) -> bool:
        checked.append(password_hash)
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "matches", counted)
    nobodys = quick.hash("nobody's")
    monkeypatch.setattr(passwords, "nobodys_hash", lambda: nobodys)
    return checked


def log_in(api: Api, password: str = "wrong", name: str = "viewer", address: str = HERE, by: str = "session") -> Any:
    client, environ = api.client(), {"REMOTE_ADDR": address}
    if by == "session":
        return client.post("/sessions", json={"username": name, "password": password}, environ_base=environ)
    if by == "token":
        form = {"grant_type": "password", "username": name, "password": password}
        return client.post("/token", data=form, environ_base=environ)
    header = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    return client.get("/jobs", headers={"Authorization": header}, environ_base=environ)


def wait(answer: Any) -> int:
    seconds = int(answer.headers["Retry-After"])
    assert f"again in {seconds} s" in problem(answer, 429)["detail"]
    return seconds


def fail(api: Api, times: int, **how: str) -> None:
    for _ in range(times):
        assert log_in(api, **how).status_code == 401


def test_after_some_failures_each_one_more_makes_the_wait_longer_and_nothing_sleeps(
    api: Api, checks: list[str]
) -> None:
    fail(api, FREE)
    waits = []
    for _ in range(13):
        fail(api, 1)
        waits.append(wait(log_in(api)))
        assert wait(log_in(api, PASSWORD)) == waits[-1], "the right password waits too"
        api.clock[0] += waits[-1]
    assert waits[:5] == [1, 2, 4, 8, 16] and waits == sorted(waits) and waits[-1] == 900
    assert len(checks) == FREE + 13, "what waits costs no check"


@pytest.mark.parametrize("by", ["session", "token", "basic"])
def test_every_way_to_give_a_password_is_counted_in_the_same_place(api: Api, checks: list[str], by: str) -> None:
    fail(api, FREE + 1, by=by)
    for other in ("session", "token", "basic"):
        wait(log_in(api, by=other))
    assert len(checks) == FREE + 1


def test_a_success_forgets_the_failures(api: Api, checks: list[str]) -> None:
    for _ in range(2):
        fail(api, FREE)
        assert log_in(api, PASSWORD).status_code == 201
    assert len(checks) == 2 * FREE + 2


def test_whoever_fails_locks_out_himself_only(api: Api, checks: list[str]) -> None:
    fail(api, FREE + 1)
    wait(log_in(api))
    assert log_in(api, PASSWORD, address=ELSEWHERE).status_code == 201
    assert log_in(api, PASSWORD, name="admin").status_code == 201
    wait(log_in(api, PASSWORD))
    assert checks


def test_a_name_that_is_nobodys_is_treated_in_the_same_way(api: Api, checks: list[str]) -> None:
    def course(name: str) -> list[tuple[int, str | None, str]]:
        answers = [log_in(api, name=name) for _ in range(FREE + 3)]
        return [(answer.status_code, answer.headers.get("Retry-After"), answer.text) for answer in answers]

    assert course("viewer") == course("nobody")
    assert len(checks) == 2 * (FREE + 1)


def test_an_address_may_fail_so_often_a_minute_whatever_the_names(api: Api, checks: list[str]) -> None:
    options.write(api.documents, "limits", Limits(failures_a_minute=20))
    for number in range(20):
        assert log_in(api, name=f"name{number}").status_code == 401
    assert wait(log_in(api, PASSWORD, name="admin")) == 60
    assert log_in(api, PASSWORD, name="admin", address=ELSEWHERE).status_code == 201
    api.clock[0] += 60
    assert log_in(api, PASSWORD, name="admin").status_code == 201
    assert len(checks) == 22


def test_successes_cost_an_address_nothing(api: Api, checks: list[str]) -> None:
    options.write(api.documents, "limits", Limits(failures_a_minute=10))
    for _ in range(25):
        assert log_in(api, PASSWORD, by="basic").status_code == 200
    assert len(checks) == 25


def test_two_processes_count_together(api: Api, checks: list[str]) -> None:
    second = Api(
        create_app(api.settings, lambda: api.clock[0]),
        api.settings,
        api.documents,
        api.engine,
        api.accounts,
        api.clock,
    )
    for number in range(FREE + 1):
        fail(api if number % 2 else second, 1)
    assert wait(log_in(api)) == wait(log_in(second)) == 1
    assert len(checks) == FREE + 1


def test_of_many_who_try_at_once_few_are_checked_and_the_process_goes_on(api: Api, checks: list[str]) -> None:
    options.write(api.documents, "limits", Limits(failures_a_minute=10))
    statuses: list[int] = []

    def try_often() -> None:
        statuses.extend(log_in(api, name=f"name{number}", by="basic").status_code for number in range(25))

    threads = [threading.Thread(target=try_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 200 and set(statuses) <= {401, 429, 503}
    assert len(checks) == statuses.count(401) <= 10
    assert log_in(api, PASSWORD, address=ELSEWHERE).status_code == 201


def test_a_bearer_request_writes_nothing(api: Api, checks: list[str]) -> None:
    headers = api.bearer("viewer")
    assert api.client().get("/jobs", headers=headers).status_code == 200
    said: list[str] = []
    engine = api.app.extensions["pushback"].engine
    event.listen(engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    assert api.client().get("/jobs", headers=headers).status_code == 200
    assert said and not [one for one in said if not one.startswith(("SELECT", "BEGIN", "PRAGMA"))]
    assert "BEGIN IMMEDIATE" not in said
    assert len(checks) == 1


def test_expensive_work_is_limited_by_account(api: Api, checks: list[str]) -> None:
    options.write(api.documents, "limits", Limits(costly_an_hour=2))
    headers = api.bearer("operator")

    def ask(path: str, by: dict[str, str], body: dict[str, Any]) -> Any:
        return api.client().post(path, json=body, headers=by)

    assert ask("/training", headers, {"nonsense": 1}).status_code == 422
    for _ in range(2):
        assert ask("/training", headers, {}).status_code == 202
    assert wait(ask("/training", headers, {})) == 3600
    assert ask("/training", api.bearer("admin"), {}).status_code == 202
    api.clock[0] += 3600
    assert ask("/training", api.bearer("operator"), {}).status_code == 202
    assert checks


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("x\nforged", "unknown"),
    ],
)
def test_whom_an_address_stands_for(address: str | None, network: str) -> None:
    assert network_of(address) == network
