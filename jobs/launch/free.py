"""Ports that nobody uses."""

import socket


def port() -> int:
    """A TCP port of this machine's own address on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
