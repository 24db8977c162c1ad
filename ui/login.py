"""Who is using the app: streamlit-authenticator's form and cookie, with the API as judge of passwords and sessions.

The cookie carries an opaque session id and nothing else. The app exchanges it at the API for a short JWT, and again
after CHECK_SECONDS, so that a session that was ended anywhere is over here too.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
import streamlit as st
from streamlit_authenticator import Authenticate
from streamlit_authenticator.models import AuthenticationModel, CookieModel

from ui import blocks, words
from ui.answers import Opened
from ui.client import ApiError, Client

CHECK_SECONDS = 4.0
ENDED = ("Your session has ended", "Log in again to go on.")
FIELDS = {"Form name": "Log in", "Username": "User name", "Password": "Password", "Login": "Log in"}


@dataclass(frozen=True)
class Account:
    """Who is logged in. `checked_at` is when the API last said so, in epoch seconds."""

    username: str
    role: str
    token: str
    checked_at: float

    @property
    def may_operate(self) -> bool:
        """Whether the account may retrain."""
        return self.role in ("operator", "admin")


class ApiAuthentication(AuthenticationModel):
    """The package's authentication, which asks the API where the package looks into a table of hashes."""

    def __init__(self, client: Client, key: str) -> None:
        super().__init__({"usernames": {}}, auto_hash=False, secret_key=key)
        self.client = client

    def check_credentials(self, username: str, password: str) -> bool:
        """Whether the API opens a session for them; the reason why not goes into the state as `login_problem`."""
        try:
            opened = self.client.log_in(username, password)
        except ApiError as error:
            st.session_state["login_problem"] = error
            return False
        self.credentials["usernames"][username] = {"name": opened["username"], "roles": [opened["role"]]}
        st.session_state["session"] = opened["session"]
        st.session_state["cookie_to_write"] = opened
        return True


class SessionCookie(CookieModel):
    """The package's cookie, signed as before, with the session id as its only content."""

    def __init__(self, stock: CookieModel) -> None:  # pylint: disable=super-init-not-called
        # The stock model has put its component on the page already, and a page cannot hold it twice.
        self.__dict__.update(vars(stock))

    def set_cookie(self) -> None:
        """Nothing yet: the form's run ends at once, and a component that leaves with it may never reach the browser."""

    def get_cookie(self) -> None:
        """Nothing: `account` has asked the API about the browser's cookie before there is a form."""

    def write(self, opened: Opened | None) -> None:
        """Puts the session into the browser, or clears it (None); to be repeated until the browser has confirmed it."""
        part, value, expires = "cookie-cleared", "", datetime.fromtimestamp(0, UTC)
        if opened is not None:
            part, expires = "cookie-set", words.moment(opened["expires_at"])
            value = jwt.encode({"session": opened["session"], "exp": expires}, self.cookie_key, algorithm="HS256")
        over_tls = str(st.context.url or "").startswith("https:")
        # The component answers a call once: a call with other values would never be confirmed, so none depends on now.
        self.cookie_manager.set(self.cookie_name, value, key=part, expires_at=expires, secure=over_tls or None)
        if st.session_state.get(part):
            del st.session_state["cookie_to_write"]


def _claims(name: str, key: str) -> dict[str, Any] | None:
    sealed = st.context.cookies.get(name)
    if not sealed:
        return None
    try:
        return jwt.decode(sealed, key, algorithms=["HS256"], options={"require": ["session", "exp"]})
    except jwt.InvalidTokenError:
        return None


def _cookie_name() -> str:
    # A browser sends a cookie to every port of a host, so the name keeps two apps on one machine apart.
    return f"pushback-{st.get_option('server.port')}"


def _authenticator(client: Client, key: str) -> tuple[Authenticate, SessionCookie]:
    authenticator = Authenticate({"usernames": {}}, _cookie_name(), key, auto_hash=False, login_sleep_time=0)
    cookie = SessionCookie(authenticator.cookie_controller.cookie_model)
    authenticator.cookie_controller.cookie_model = cookie
    authenticator.authentication_controller.authentication_model = ApiAuthentication(client, key)
    return authenticator, cookie


def account(client: Client, key: str, now: datetime) -> Account | None:
    """The account of this browser, checked at the API within CHECK_SECONDS; None if nobody is logged in.

    Raises ApiError if the API cannot say. Also sets the client's token.
    """
    state = st.session_state
    if "session" not in state and not state.get("logged_out"):
        claims = _claims(_cookie_name(), key)
        if claims:
            state["session"] = claims["session"]
    if not state.get("session"):
        return None
    known: Account | None = state.get("account")
    if known is None or now.timestamp() - known.checked_at >= CHECK_SECONDS:
        client.token = None
        try:
            token = client.exchange(state["session"])
        except ApiError as error:
            if error.status == 401:
                forget(ENDED)
                return None
            raise
        known = Account(token["username"], token["role"], token["access_token"], now.timestamp())
        state["account"] = known
    client.token = known.token
    return known


def forget(notice: tuple[str, str] | None = None) -> None:
    """Drops everything that this browser tab knows about its account, and has the cookie cleared."""
    st.session_state.clear()
    st.session_state.update(logged_out=True, cookie_to_write=None, login_notice=notice)


def log_out(client: Client) -> None:
    """Ends the session at the API, so that a copy of the cookie is worth nothing, and forgets the account here."""
    session = st.session_state.get("session")
    try:
        if session:
            client.log_out(session)
    except ApiError as error:
        if error.status != 401:
            st.session_state["logout_problem"] = error
            return
    forget()


def keep_cookie(client: Client, key: str) -> None:
    """Writes or clears the browser's cookie where that is still to do. To be called once, on runs without the form."""
    if "cookie_to_write" in st.session_state:
        _, cookie = _authenticator(client, key)
        cookie.write(st.session_state["cookie_to_write"])


def form(client: Client, key: str) -> None:
    """Shows the login form, and starts the run again once somebody has logged in."""
    state = st.session_state
    state.pop("login_problem", None)
    with st.container(key="login-card"):
        st.html('<p class="pb-brand"><strong>Pushback</strong><span>Will this flight be disrupted?</span></p>')
        if state.get("login_notice"):
            blocks.notice(*state["login_notice"])
        authenticator, cookie = _authenticator(client, key)
        authenticator.login(fields=FIELDS, key="login")
        if state.get("session"):
            state.pop("logged_out", None)
            state.pop("login_notice", None)
            st.rerun()
        problem: ApiError | None = state.get("login_problem")
        if problem is not None:
            st.error(problem.sentence)
        elif state.get("FormSubmitter:login-Log in"):
            st.error("Give your user name and your password.")
    if "cookie_to_write" in state:
        cookie.write(state["cookie_to_write"])
