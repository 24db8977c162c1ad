"""Where the app finds the API and the key of its cookie: the only module of the app that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """One running app. `api_url` has no slash at its end; `timeout_seconds` is for one call of the API, and
    `proxies` stand in front of the app."""

    api_url: str
    cookie_key_file: Path
    api_key_file: Path
    proxies: int = 0
    timeout_seconds: float = 10.0


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    Reads API_URL (default: http://127.0.0.1:8000), PUSHBACK_HOME (the state folder, default: `var` in the current
    folder), PUSHBACK_SECRETS (the secrets folder, default: `secrets` in the state folder), UI_COOKIE_KEY_FILE and
    UI_API_KEY_FILE (default: ui-cookie-key and ui-api-key in the secrets folder) and PUSHBACK_PROXIES (default: 0).
    """
    home = Path(environ.get("PUSHBACK_HOME", "var")).expanduser().resolve()
    secrets = Path(environ.get("PUSHBACK_SECRETS") or home / "secrets").expanduser().resolve()
    return Settings(
        api_url=environ.get("API_URL", "http://127.0.0.1:8000").rstrip("/"),
        cookie_key_file=Path(environ.get("UI_COOKIE_KEY_FILE", str(secrets / "ui-cookie-key"))),
        api_key_file=Path(environ.get("UI_API_KEY_FILE", str(secrets / "ui-api-key"))),
        proxies=int(environ.get("PUSHBACK_PROXIES") or 0),
    )


def cookie_key(settings: Settings) -> str:
    """The key that signs the cookie. Raises FileNotFoundError or ValueError with what to do where there is none."""
    path = settings.cookie_key_file
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there. The API makes it when it first starts: start the API, or `make up`."
        )
    key = path.read_text(encoding="ascii").strip()
    if len(key) < 32:
        raise ValueError(
            f"{path} holds {len(key)} characters, and a key needs 32 or more. Delete it and start the API."
        )
    return key


def api_key(settings: Settings) -> str | None:
    """The key under which the app vouches for its browsers' addresses; None where there is none, and it does not."""
    path = settings.api_key_file
    return path.read_text(encoding="ascii").strip() if path.is_file() else None
