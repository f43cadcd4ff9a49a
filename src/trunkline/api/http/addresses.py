"""Clients' addresses: which ones a list allows, and which count as one client."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


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


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """Whom to count together: an IPv4 address, an IPv6 /64 (one customer has all of it)."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is None:
        return str(IPv6Address(int(ip) >> 64 << 64))
    return address
