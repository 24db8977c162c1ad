"""Load on an HTTP server: clients that each keep one connection and ask again as soon as they are answered.

On bare sockets, since two cores are shared with the server: a client library would take most of them.
"""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

WARM_SECONDS = 1.5
PATIENCE_SECONDS = 60


class Load(NamedTuple):
    """What so many clients got in a time: requests a second, and seconds of the median and of 99 in 100."""

    per_second: float
    p50: float
    p99: float


def request(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(port: int, requests: Iterator[bytes], seconds: float, clients: int) -> Load:
    """Ask each of `requests` once, from so many clients, for that time after a warm-up.

    Raises RuntimeError for any answer but a 200, ConnectionError where there is none.
    """
    times: list[list[float]] = [[] for _ in range(clients)]
    failures: list[BaseException] = []
    turn, start = threading.Lock(), time.monotonic() + WARM_SECONDS
    end = start + seconds

    def client(mine: list[float]) -> None:
        try:
            with Connection(port) as connection:
                while (begun := time.monotonic()) < end:
                    with turn:
                        wanted = next(requests)
                    begun = time.monotonic()
                    connection.ask(wanted)
                    if begun >= start:
                        mine.append(time.monotonic() - begun)
        except (OSError, RuntimeError) as error:
            failures.append(error)

    threads = [threading.Thread(target=client, args=(mine,)) for mine in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    together = sorted(itertools.chain.from_iterable(times))
    return Load(len(together) / seconds, together[len(together) // 2], together[len(together) * 99 // 100])


class Connection:
    """One that is kept between requests."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, wanted: bytes) -> bytes:
        """The body of the answer. Raises RuntimeError for any status but 200, ConnectionError where there is none."""
        self._socket.sendall(wanted)
        received = self._more(b"")
        while (ends := received.find(b"\r\n\r\n")) < 0:
            received = self._more(received)
        head, body = received[:ends].lower(), received[ends + 4 :]
        place = head.find(b"content-length:")
        if place < 0 or not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"not a plain 200: {received[:500].decode(errors='replace')}")
        length = int(head[place + 15 :].split(b"\r\n", 1)[0])
        while len(body) < length:
            body = self._more(body)
        return body

    def _more(self, received: bytes) -> bytes:
        part = self._socket.recv(1 << 20)
        if not part:
            raise ConnectionError("the server ended the connection")
        return received + part
