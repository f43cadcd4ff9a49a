"""Clients' addresses: which ones a list allows, and which count as one client."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_LONGEST = 64
"""Of an address with its zone."""


@lru_cache(maxsize=1024)
def _networks(allowed: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(entry, strict=False) for entry in allowed)


def allowed(addresses: tuple[str, ...], client: str) -> bool:
    """May the client's address be used? ``addresses`` are IPs or CIDRs; none allows all."""
    if not addresses:
        return True
    try:
        ip = ip_address(client.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return any((mapped or ip) in network for network in _networks(addresses))


def neighbourhood(address: str) -> str:
    """Whom to count together: an IPv4 address, however it is written, an IPv6 /64 (one customer has all of it).

    What is no address (whatever a proxy wrote) is taken as it stands, up to what one may have.
    """
    return _counted_as(address[:_LONGEST])


@lru_cache(maxsize=4096)
def _counted_as(address: str) -> str:
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return address
    return str(ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64))
