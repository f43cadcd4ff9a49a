"""Which addresses webhooks may go to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.webhooks.addresses import Addresses
from trunkline.webhooks.port import UrlRefused

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255",
    "100.100.100.200", "192.0.0.192", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "fdff::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:808:808::1",
    "2001::1", "2001:db8::1", "3fff::1", "100::1", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(UrlRefused, match=r"is not a public address: .* webhook_allow"):
        Addresses().check(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_are_taken(address: str) -> None:
    assert (Addresses().check(address), Addresses().lists(address)) == (None, False)


@pytest.mark.parametrize(
    ("listed", "address"),
    [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("fe80::/10", "fe80::1%eth0"),
        ("64:ff9b::/96", "64:ff9b::808:808"),
        ("169.254.169.254", "169.254.169.254"),
        ("fd00:ec2::254/128", "fd00:ec2::254"),
    ],
)
def test_listed_networks_are_taken(listed: str, address: str) -> None:
    addresses = Addresses([listed])
    assert (addresses.check(address), addresses.lists(address)) == (None, True)


@pytest.mark.parametrize(
    ("listed", "address"),
    [
        ("0.0.0.0/0", "169.254.169.254"),
        ("169.254.0.0/16", "169.254.169.254"),
        ("fd00::/8", "fd00:ec2::254"),
        ("0.0.0.0/0", "::ffff:169.254.169.254"),
    ],
)
def test_metadata_is_not_let_in_by_a_network_around_it(listed: str, address: str) -> None:
    with pytest.raises(UrlRefused):
        Addresses([listed]).check(address)


def test_what_is_no_network_cannot_be_listed() -> None:
    with pytest.raises(ValueError, match="example"):
        Addresses(["example.com"])


@given(st.ip_addresses(v=4))
def test_no_form_of_an_inside_address_is_taken(address: object) -> None:
    """Mapped, NAT64, 6to4 and compatible forms, whatever is in them."""
    number = int(address)  # type: ignore[call-overload]
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    for form in (
        f"::ffff:{high}:{low}",
        f"64:ff9b::{high}:{low}",
        f"2002:{high}:{low}::",
        f"::{high}:{low}",
    ):
        with pytest.raises(UrlRefused):
            Addresses().check(form)
