"""Which addresses webhooks may go to: public ones, and those that a setting allows.

Whoever may add an endpoint chooses where this machine connects to. So the machine's own networks are
refused (server-side request forgery) until the operator lists them. Registries: RFC 6890 and
IANA's special-purpose addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from trunkline.webhooks.port import UrlRefused

Address = IPv4Address | IPv6Address

METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"))
)
"""Where clouds give credentials to a machine; each is allowed only if it is listed by itself."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_GLOBAL = tuple(
    map(
        ip_network,
        (
            *("192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4"),  # protocol use, relays, reserved
            *("2001::/23", "2002::/16"),  # Teredo and others, 6to4: an IPv4 address inside
            *("2001:db8::/32", "3fff::/20"),  # documentation
        ),
    )
)


class Addresses:
    """The rule. ``allowed`` are networks such as ``10.0.0.0/8``; raises ValueError for others."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(ip_network(text.strip(), strict=False) for text in allowed)

    def lists(self, address: str) -> bool:
        """Does the setting allow it, public or not?"""
        return self._lists(ip_address(address.partition("%")[0]))

    def check(self, address: str) -> None:
        """Raises UrlRefused for an address that is neither public nor listed."""
        ip = ip_address(address.partition("%")[0])
        if not (self._lists(ip) or is_public(ip)):
            raise UrlRefused(
                f"{ip} is not a public address: whoever runs the server can allow it "
                "with the setting webhook_allow"
            )

    def _lists(self, ip: Address) -> bool:
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
            return self._lists(ip.ipv4_mapped)
        networks = [network for network in self._allowed if ip in network]
        if ip in METADATA:
            return any(network.num_addresses == 1 for network in networks)
        return bool(networks)


def is_public(ip: Address) -> bool:
    """Is it a host of the open internet, written in the plain form of its family?

    IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo) are not.
    """
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in each for each in _NOT_GLOBAL)
