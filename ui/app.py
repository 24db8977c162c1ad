"""The frame of the app, `streamlit run ui/app.py`: declares the pages, lets people in, runs the page they asked for."""

import sys
from datetime import UTC, datetime
from html import escape
from pathlib import Path

# `streamlit run` puts this file's folder on the path, and not the project's, from which `ui` is imported.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position
import streamlit as st

from ui import blocks, login, settings
from ui.client import ApiError, Client
from ui.views import models, overview, predict
from ui.voucher import Voucher, browser_address

MARK = str(Path(__file__).parent / "mark.svg")


@st.fragment(run_every=login.CHECK_SECONDS)
def _still_logged_in(client: Client, key: str) -> None:
    """Ends an open page too, soon after its session ended somewhere else."""
    try:
        gone = login.account(client, key, datetime.now(UTC)) is None
    except ApiError:
        return  # the page itself says that the API does not answer; that ends nobody's session
    if gone:
        st.rerun()


def _voucher(here: settings.Settings) -> Voucher | None:
    key = settings.api_key(here)
    forwarded_for = st.context.headers.get_all("X-Forwarded-For")
    address = browser_address(st.context.ip_address, forwarded_for, here.proxies)
    return None if key is None or address is None else Voucher(key, address)


def _sidebar(client: Client, key: str, account: login.Account) -> None:
    with st.sidebar, st.container(key="account"):
        st.html(f'<p class="pb-account"><b>{escape(account.username)}</b>Role: {escape(account.role)}</p>')
        st.button("Log out", key="log-out", on_click=login.log_out, args=(client,), width="stretch")
        problem = st.session_state.pop("logout_problem", None)
        if problem:
            st.error(f"You are still logged in. {problem.sentence}")
        _still_logged_in(client, key)


def main() -> None:
    """Runs the app once, as Streamlit does on every interaction."""
    st.set_page_config(page_title="Pushback", page_icon=MARK, layout="wide")
    blocks.style()
    st.logo(MARK, size="large")
    # Before anything else decides: a deep link whose page is not declared on this run would land on the first page.
    page = st.navigation(
        [
            st.Page(overview.show, title="Overview", icon=":material/flight_takeoff:", default=True),
            st.Page(predict.show, title="Predict", icon=":material/search:", url_path="predict"),
            st.Page(models.show, title="Models", icon=":material/model_training:", url_path="models"),
        ]
    )
    here = settings.load()
    now = datetime.now(UTC)
    try:
        key = settings.cookie_key(here)
    except (OSError, ValueError) as error:
        blocks.notice("The app cannot sign its cookie", str(error), alarming=True)
        return
    client = st.session_state.setdefault("client", Client(here.api_url, here.timeout_seconds))
    client.voucher = _voucher(here)
    try:
        account = login.account(client, key, now)
    except ApiError as error:
        blocks.failed(error)
        st.button("Try again", key="try-again")
        return
    if account is None:
        login.form(client, key)
        return
    _sidebar(client, key, account)
    login.keep_cookie(client, key)
    try:
        page.run()
    except ApiError as error:
        if error.status == 401:
            login.forget(login.ENDED)
            st.rerun()
        blocks.failed(error)
        st.button("Try again", key="try-again")


main()
