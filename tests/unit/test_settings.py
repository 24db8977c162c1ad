"""What the environment says, and what it may not say."""

from pathlib import Path

import pytest

from backend import settings


@pytest.mark.parametrize(
    ("environment", "port"),
    [({}, 8000), ({"PORT": "9000"}, 9000), ({"PORT": "9000", "API_PORT": "9100"}, 9100), ({"API_PORT": ""}, 8000)],
    ids=str,
)
def test_the_api_listens_where_its_platform_says_unless_it_is_told_otherwise(
    environment: dict[str, str], port: int
) -> None:
    assert settings.load(environment).api_port == port


@pytest.mark.parametrize("name", ["PORT", "API_PORT", "UI_PORT", "MLFLOW_PORT"])
@pytest.mark.parametrize("value", ["http", "0", "65536", "-1"])
def test_what_is_no_port_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}='{value}' is not a TCP port"):
        settings.load({name: value})


def test_a_mode_that_is_none_is_refused_with_those_that_are() -> None:
    assert settings.load({}).mode == "replay"
    assert settings.load({"PUSHBACK_MODE": "live"}).mode == "live"
    with pytest.raises(ValueError, match="give replay or live"):
        settings.load({"PUSHBACK_MODE": "Live"})


def test_no_proxy_is_believed_unless_it_is_said_how_many_there_are() -> None:
    assert settings.load({}).proxies == 0
    assert settings.load({"PUSHBACK_PROXIES": "2"}).proxies == 2
    for wrong in ("yes", "-1", "10", "1.5"):
        with pytest.raises(ValueError, match="give 0 to 9"):
            settings.load({"PUSHBACK_PROXIES": wrong})


def test_origins_are_schemes_and_hosts_and_nothing_more() -> None:
    assert not settings.load({}).origins
    listed = "https://a.example, http://127.0.0.1:8501,https://[::1]:8443"
    assert settings.load({"PUSHBACK_ORIGINS": listed}).origins == tuple(listed.replace(", ", ",").split(","))
    for wrong in ("*", "a.example", "https://a.example/", "null", "ftp://a.example"):
        with pytest.raises(ValueError, match="is no origin"):
            settings.load({"PUSHBACK_ORIGINS": wrong})


def test_documents_are_in_a_file_or_in_a_postgresql_and_a_password_is_not_repeated() -> None:
    assert settings.load({"PUSHBACK_HOME": "/x"}).documents == Path("/x/documents.json")
    assert settings.load({"DOCUMENTS_URL": "postgresql://a"}).documents == "postgresql://a"
    with pytest.raises(ValueError, match="is no PostgreSQL") as refused:
        settings.load({"DOCUMENTS_URL": "mysql://a:secret@b"})
    assert "secret" not in str(refused.value)
