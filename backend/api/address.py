"""Where a request comes from: what limits count by, and what the log of access names.

People log in through the app, whose address is then that of all of them. So the app may say from where its browser
asks, in a header with the time and a MAC of both under a secret that only app and API hold (see ui/voucher.py).
"""

import hmac
import ipaddress
import logging

from apiflask import APIFlask
from flask import g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from backend.accounts import VOUCHER_KEY
from backend.api import context
from backend.secret_files import secret

IPV6_NETWORK_BITS = 64  # what one customer has
VOUCHER = "Pushback-Client"
FRESH_SECONDS = 60

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

log = logging.getLogger(__name__)


def register(app: APIFlask, proxies: int) -> None:
    """Lets so many proxies in front say for whom, by what scheme and for which host they ask; with 0, nobody may."""
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]


def client_address() -> str:
    """The address of who asks, or `unknown` where that is none."""
    if "address" not in g:
        found = _vouched(request.headers.get(VOUCHER)) or _parsed(request.remote_addr)
        g.address = "unknown" if found is None else str(found)
    return str(g.address)


def client_network() -> str:
    """Whom that address stands for."""
    return network_of(client_address())


def network_of(address: str | None) -> str:
    """Whom an address stands for: itself, or for IPv6 its /64, of which one customer has every address."""
    found = _parsed(address)
    if found is None:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network((found, IPV6_NETWORK_BITS), strict=False))


def _vouched(voucher: str | None) -> IPAddress | None:
    """The address in a voucher of the app's, if its MAC is right and fresh."""
    if voucher is None:
        return None
    here = context.get()
    said, _, mac = voucher.rpartition(" ")
    address, _, moment = said.partition(" ")
    right = hmac.new(secret(here.settings, VOUCHER_KEY, 48).encode(), said.encode("latin-1"), "sha256").hexdigest()
    fresh = moment.isdecimal() and abs(here.now() - int(moment)) <= FRESH_SECONDS
    if hmac.compare_digest(mac.encode("latin-1"), right.encode()) and fresh:
        return _parsed(address)
    log.warning("a header %s is forged, or older than %d s: it counts for nothing", VOUCHER, FRESH_SECONDS)
    return None


def _parsed(address: str | None) -> IPAddress | None:
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
