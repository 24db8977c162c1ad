"""The browser's address, vouched for: the API then counts failed logins by it, and not by the app's own address."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

HEADER = "Pushback-Client"


@dataclass(frozen=True)
class Voucher:
    """What the app says of one browser. `key` is the secret that app and API share."""

    key: str
    address: str

    def header(self, now: int) -> dict[str, str]:
        """The header for a request at that moment, in epoch seconds: address, moment, and their HMAC-SHA256."""
        said = f"{self.address} {now}"
        return {HEADER: f"{said} {hmac.new(self.key.encode(), said.encode(), 'sha256').hexdigest()}"}


def browser_address(peer: str | None, forwarded_for: Sequence[str], proxies: int) -> str | None:
    """From where a browser asks: who is connected, or what so many proxies say in X-Forwarded-For.

    None on the app's own machine.
    """
    forwarded = [address.strip() for value in forwarded_for for address in value.split(",")]
    return forwarded[-proxies] if 0 < proxies <= len(forwarded) else peer
