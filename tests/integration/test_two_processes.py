"""Two API processes over one installation: what ends in one has ended in the other."""

import time
from pathlib import Path

import pytest

from backend import accounts, clock
from backend.settings import Settings
from backend.store.documents import open_documents
from tests.conftest import NOON, PASSWORD
from tests.integration.running import Running, serving

SECONDS = 5


def bearer(running: Running, username: str) -> dict[str, str]:
    form = {"grant_type": "password", "username": username, "password": PASSWORD}
    return {"Authorization": f"Bearer {running.client.post('/token', data=form).json()['access_token']}"}


@pytest.mark.sqlite("accounts are documents, and sessions are tried on both elsewhere")
def test_what_an_admin_disables_in_one_process_is_401_in_another_within_five_seconds(
    home: Settings, tmp_path: Path, password_hash: str
) -> None:
    documents = open_documents(home.documents)
    made = {role: accounts.add(documents, role, password_hash, role, NOON).id for role in accounts.ROLES}
    one_worker = ("--workers", "1")
    with serving(home, tmp_path / "one", *one_worker) as one, serving(home, tmp_path / "two", *one_worker) as two:
        admin, viewer = bearer(one, "admin"), bearer(two, "viewer")
        ends = {"name": "x", "role": "viewer", "expires_at": clock.iso(clock.wall() + clock.DAY)}
        made_token = two.client.post("/accounts/me/tokens", json=ends, headers=viewer).json()["token"]
        held = [viewer, {"Authorization": f"Bearer {made_token}"}]

        def statuses() -> list[int]:
            return [two.client.get("/jobs", headers=headers).status_code for headers in held]

        assert statuses() == [200, 200]
        disabled = one.client.patch(f"/accounts/{made['viewer']}", json={"disabled": True}, headers=admin)
        assert disabled.status_code == 200
        deadline = time.monotonic() + SECONDS
        while statuses() != [401, 401]:
            assert time.monotonic() < deadline, statuses()
            time.sleep(0.05)
        # Nobody is believed about the scheme: a local caller who says https does not make the API's own origin https.
        said = {"X-Forwarded-Proto": "https", "Origin": str(one.client.base_url).replace("http", "https")}
        assert one.client.post("/sessions", json={}, headers=said).status_code == 403
