"""Keys change while the API runs, and secrets stand in files that only their owner may read."""

import base64
import json
from pathlib import Path

import jwt
import pytest

from backend import accounts, secret_files, signing
from backend import settings as settings_module
from backend.store.documents import open_documents
from jobs import secrets as command
from tests.conftest import Api


def status(api: Api, headers: dict[str, str]) -> int:
    return api.client().get("/jobs", headers=headers).status_code


def kid(headers: dict[str, str]) -> str:
    return str(jwt.get_unverified_header(headers["Authorization"].split()[1])["kid"])


def test_after_a_rotation_the_new_key_signs_and_both_verify_without_a_restart(api: Api) -> None:
    before = api.bearer("viewer")
    signing.rotate(api.settings)
    after = api.bearer("viewer")
    assert kid(before) != kid(after)
    assert status(api, before) == status(api, after) == 200


def test_after_two_rotations_the_first_key_is_worthless(api: Api) -> None:
    before = api.bearer("viewer")
    for _ in range(2):
        signing.rotate(api.settings)
    assert status(api, before) == 401
    assert len(signing.read(api.settings.secrets / signing.NAME)) == 2


@pytest.mark.parametrize("wrong", ["another", "", None, 7, ["x"], "../jwt-key"], ids=repr)
def test_a_token_with_another_kid_is_refused(api: Api, wrong: object) -> None:
    header, body, _ = api.token("admin").split(".")
    said = json.loads(base64.urlsafe_b64decode(header + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**said, "kid": wrong}).encode()).decode().rstrip("=")
    signer = signing.read(api.settings.secrets / signing.NAME)[0]
    signed = jwt.get_algorithm_by_name("HS256").sign(f"{changed}.{body}".encode(), signer.secret.encode())
    text = f"{changed}.{body}." + base64.urlsafe_b64encode(signed).decode().rstrip("=")
    assert status(api, {"Authorization": f"Bearer {text}"}) == 401


def test_a_file_without_a_fit_key_changes_nothing_in_a_process_that_runs(api: Api) -> None:
    headers, path = api.bearer("viewer"), api.settings.secrets / signing.NAME
    for text in ("", "short"):
        secret_files.replace(path, text)
        assert status(api, headers) == 200
    with pytest.raises(ValueError, match="one or two keys"):
        signing.open_keys(api.settings).newest()


def test_the_command_rotates_says_where_and_prints_no_secret(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSHBACK_HOME", str(api.settings.home))
    before = api.bearer("viewer")
    assert command.main(["--rotate", "jwt-key"]) == 0
    assert command.main([]) == 0
    said = capsys.readouterr().out
    assert str(api.settings.secrets) in said
    assert all(secret not in said for file in api.settings.secrets.iterdir() for secret in file.read_text().split())
    assert (api.settings.secrets / signing.NAME).stat().st_mode & 0o777 == 0o600
    assert status(api, before) == 200


def test_secrets_may_stand_in_another_folder_in_which_nothing_is_written_once_all_is_there(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    homes = [
        settings_module.load({"PUSHBACK_HOME": str(tmp_path / name), "PUSHBACK_SECRETS": str(mounted)})
        for name in ("first", "second")
    ]
    accounts.first_start(homes[0], open_documents(homes[0].documents))
    changed = mounted.stat().st_mtime_ns
    documents = open_documents(homes[1].documents)
    accounts.first_start(homes[1], documents)
    assert mounted.stat().st_mtime_ns == changed
    assert accounts.verify(documents, "admin", (mounted / "admin-password").read_text().strip()) is not None
    assert not any((home.home / "secrets").exists() for home in homes)


def test_a_secret_that_is_missing_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    here = settings_module.load({"PUSHBACK_HOME": str(tmp_path), "PUSHBACK_SECRETS": str(tmp_path / "file" / "x")})
    with pytest.raises(PermissionError, match=r"jwt-key cannot be written .* put it there"):
        signing.open_keys(here)
