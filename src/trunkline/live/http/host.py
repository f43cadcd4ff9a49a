"""What a request's Host may be (RFC 9110 7.2, RFC 3986 3.2.2), and whether it is ours. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_LONGEST = 253
"""Of a name (RFC 1035 2.3.4)."""
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_FORM = re.compile(
    rf"(?:(?P<name>{_LABEL}(?:\.{_LABEL})*)\.?|\[(?P<six>[0-9A-Fa-f:.]*)\])(?::(?P<port>[0-9]{{1,5}}))?"
)


def host_of(sent: bytes) -> str | None:
    """The host, in small letters and without its port; None where it is none."""
    return _read(sent) if len(sent) <= _LONGEST + 7 else None


@lru_cache(maxsize=1024)
def _read(sent: bytes) -> str | None:
    match = _FORM.fullmatch(sent.decode("latin-1"))
    if match is None or not 0 < int(match["port"] or 80) < 65536:
        return None
    if match["six"] is not None:
        return _address(IPv6Address, match["six"])
    name = match["name"].lower()
    if len(name) > _LONGEST:
        return None
    # A name that ends in a number is an address or nothing (WHATWG URL, 3.5).
    return _address(IPv4Address, name) if name.rpartition(".")[2].isdigit() else name


def _address(kind: type[IPv4Address | IPv6Address], text: str) -> str | None:
    try:
        return str(kind(text))
    except AddressValueError:
        return None


def is_served(host: str, served: frozenset[str]) -> bool:
    """Is it among these hosts, or below one that is written ``*.example.com``? None of them is any."""
    if not served or host in served:
        return True
    below = host.partition(".")[2]
    while below:
        if f"*.{below}" in served:
            return True
        below = below.partition(".")[2]
    return False
