"""Where a request comes from: what limits count by, and what the log of access names."""

import ipaddress

from apiflask import APIFlask
from flask import request
from werkzeug.middleware.proxy_fix import ProxyFix

IPV6_NETWORK_BITS = 64  # what one customer has


def register(app: APIFlask, proxies: int) -> None:
    """Lets so many proxies in front say for whom, by what scheme and for which host they ask; with 0, nobody may."""
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]


def client_address() -> str:
    """The address of who asks, or `unknown` where that is none."""
    found = _parsed(request.remote_addr)
    return "unknown" if found is None else str(found)


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


def _parsed(address: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
