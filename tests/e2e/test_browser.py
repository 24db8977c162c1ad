"""The app in a real browser, with a real API behind it: login, deep link, reload, a prediction, and logout."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from backend import accounts, clock
from backend.settings import Settings
from backend.store import sql
from backend.store.counters import Counters
from backend.store.documents import open_documents
from jobs.launch import free
from tests.conftest import World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.sqlite("the app speaks HTTP alone: what is behind the API is nothing to it"),
]
CHROMIUM = Path("/usr/bin/chromium")
PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 30_000
BEHIND = "198.51.100.7"


@dataclass(frozen=True)
class Running:
    """A running API and app, and the password of `admin`."""

    api: str
    app: str
    password: str


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} did not answer; its process said:\n{log.read_text()[-3000:]}")


@pytest.fixture(name="running", scope="module")
def start(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there: install Debian's package chromium")
    settings: Settings = world.settings
    accounts.first_start(settings, open_documents(settings.documents))
    api_port, ui_port, logs = free.port(), free.port(), tmp_path_factory.mktemp("logs")
    api, app = f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{ui_port}"
    environment = os.environ | {
        "PUSHBACK_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url,
        "MLFLOW_TRACKING_URI": settings.mlflow_uri,
        "API_URL": api,
        "PUSHBACK_PROXIES": "1",  # a browser may say where it is, as a proxy would
    }
    gunicorn = ["gunicorn", "--bind", f"127.0.0.1:{api_port}", "--no-control-socket", "backend.app:create_app()"]
    streamlit = ["streamlit", "run", "ui/app.py", "--server.port", str(ui_port)]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for words, url in ((gunicorn, f"{api}/health/live"), (streamlit, f"{app}/_stcore/health")):
            log = logs / words[0]
            with log.open("wb") as output:
                # A group of its own, so that what it starts ends with it.
                process = subprocess.Popen(
                    [sys.executable, "-m", *words],
                    cwd=PROJECT,
                    env=environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            started.append(process)
            wait_for(url, process, log)
        yield Running(api, app, (settings.secrets / "admin-password").read_text().strip())
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture(name="browser", scope="module")
def open_browser(running: Running) -> Iterator[Browser]:
    assert running
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


def visit(browser: Browser, url: str, cookies: list[Any] | None = None) -> Page:
    """A page of a browser that has these cookies and no others."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    if cookies:
        context.add_cookies(cookies)
    page = context.new_page()
    page.goto(url)
    return page


def log_in(page: Page, password: str) -> None:
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in").click()


def see(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible(timeout=PATIENCE_MS)


def session_cookies(page: Page) -> list[Any]:
    return [cookie for cookie in page.context.cookies() if cookie.get("name", "").startswith("pushback-")]


def wait_for_cookie(page: Page) -> list[Any]:
    """The app's cookie: it is written by the page, a moment after the page has appeared."""
    deadline = time.monotonic() + 10
    while not session_cookies(page) and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    return session_cookies(page)


def claims(cookie: dict[str, Any]) -> dict[str, Any]:
    body = cookie["value"].split(".")[1]
    return dict(json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def test_a_deep_link_survives_the_login_and_a_reload_keeps_it(browser: Browser, running: Running) -> None:
    # The first visit after a start, when Streamlit does not know the declared pages yet: so this test is the first.
    page = visit(browser, f"{running.app}/models")
    log_in(page, running.password)
    see(page, "How good is the model that answers?")
    assert page.url == f"{running.app}/models"
    expect(page.get_by_role("button", name="Retrain")).to_be_visible()
    assert wait_for_cookie(page)
    page.reload()
    see(page, "How good is the model that answers?")
    expect(page.get_by_label("User name")).to_have_count(0)


def test_a_wrong_password_is_told_in_a_sentence_and_counted_at_the_browser_s_own_address(
    browser: Browser, running: Running, world: World
) -> None:
    page = visit(browser, running.app)
    page.set_extra_http_headers({"X-Forwarded-For": BEHIND})
    page.reload()
    log_in(page, "not the password of admin")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("password", timeout=PATIENCE_MS)
    assert alert.inner_text().strip().endswith(".")
    expect(page.get_by_label("User name")).to_be_visible()
    assert session_cookies(page) == []
    engine = sql.open_engine(world.settings.database_url)
    failures = Counters(engine, clock.wall)
    assert (failures.get(f"failures/{BEHIND}/admin"), failures.get("failures/127.0.0.1/admin")) == (1, 0)
    engine.dispose()


def test_the_cookie_carries_the_session_and_nothing_else(browser: Browser, running: Running) -> None:
    page = visit(browser, running.app)
    log_in(page, running.password)
    (cookie,) = wait_for_cookie(page)
    assert set(claims(cookie)) == {"session", "exp"}
    assert cookie["sameSite"] == "Strict"


def test_a_flight_that_is_picked_gets_its_probability(browser: Browser, running: Running) -> None:
    page = visit(browser, f"{running.app}/predict")
    log_in(page, running.password)
    see(page, "Will this flight be disrupted?")
    page.locator(".st-key-board button").first.click()
    answer = page.locator(".pb-answer")
    expect(answer).to_contain_text("flights like this one", timeout=PATIENCE_MS)
    expect(answer.locator(".pb-figure")).to_contain_text("%")
    expect(answer).to_contain_text("of 100 usually")


def test_after_logout_a_copy_of_the_cookie_is_worth_nothing(browser: Browser, running: Running) -> None:
    page = visit(browser, running.app)
    log_in(page, running.password)
    see(page, "Is the model well?")
    copied = wait_for_cookie(page)
    session = {"session": claims(copied[0])["session"]}
    twin = visit(browser, running.app, copied)
    see(twin, "Is the model well?")
    token = requests.post(f"{running.api}/sessions/token", json=session, timeout=10).json()["access_token"]
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("User name")).to_be_visible(timeout=PATIENCE_MS)
    assert requests.post(f"{running.api}/sessions/token", json=session, timeout=10).status_code == 401
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{running.api}/status", headers=bearer, timeout=10).status_code == 401
    expect(twin.get_by_label("User name")).to_be_visible(timeout=5_000)
    thief = visit(browser, f"{running.app}/models", copied)
    expect(thief.get_by_label("User name")).to_be_visible(timeout=PATIENCE_MS)
    expect(thief.get_by_role("heading", level=1)).to_have_count(0)
