"""Which addresses are counted as one client."""

from __future__ import annotations

import pytest

from trunkline.api.http.addresses import neighbourhood


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("unknown", "unknown"),
        ("x" * 70_000, "x" * 64),
    ],
)
def test_whom_an_address_is_counted_with(address: str, counted: str) -> None:
    """However it is written, and at whatever length: thousands of them are remembered."""
    assert neighbourhood(address) == counted
