"""The API as a client meets it: from the start to the first prediction, and one request after the other."""

import http.client
import json
import socket
import time
from typing import Any
from urllib.parse import urlencode

FLIGHT = {"carrier": "UA", "flight": 1545, "origin": "EWR", "dest": "IAH"}
QUESTION = json.dumps({"flights": [FLIGHT | {"scheduled_departure": "2013-04-01T09:15:00Z"}]})
REQUESTS = 300
PATIENCE_SECONDS = 60


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(port: int) -> list[str]:
    """What `python -m` starts the API with."""
    return ["backend.serve", "--bind", f"127.0.0.1:{port}"]


def use(port: int, password: str) -> dict[str, float]:
    """Wait for the first prediction, then ask REQUESTS times; the seconds of each, by name."""
    started = time.monotonic()
    grant = urlencode({"grant_type": "password", "username": "admin", "password": password})
    while True:
        try:
            token = _post(port, "/token", grant, {"Content-Type": "application/x-www-form-urlencoded"})
            break
        except ConnectionError:
            if time.monotonic() - started > PATIENCE_SECONDS:
                raise
            time.sleep(0.02)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token['access_token']}"}
    _post(port, "/predict", QUESTION, headers)
    found = {"API from start to the first answered prediction": time.monotonic() - started}
    times = []
    for _ in range(REQUESTS):
        begun = time.monotonic()
        _post(port, "/predict", QUESTION, headers)
        times.append(time.monotonic() - begun)
    times.sort()
    found[f"one prediction, p50 of {REQUESTS} requests"] = times[REQUESTS // 2]
    found[f"one prediction, p99 of {REQUESTS} requests"] = times[REQUESTS * 99 // 100]
    return found


def _post(port: int, path: str, body: str, headers: dict[str, str]) -> Any:
    """The answer's JSON, over a connection of its own. Raises SystemExit where the answer is no 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise SystemExit(f"POST {path} answered {answer.status}: {content.decode(errors='replace')[:500]}")
    return json.loads(content)
