"""How the RTP ports are shared."""

from __future__ import annotations

import pytest

from trunkline.routing.ports import Legs, legs


@pytest.mark.parametrize(
    ("first", "last", "shares"),
    [
        (10_000, 20_000, Legs(4750, 4275, 2375)),
        (30_000, 30_399, Legs(190, 171, 95)),
        (30_000, 30_039, Legs(18, 16, 9)),
        (30_000, 30_003, Legs(2, 2, 2)),
    ],
)
def test_nobody_gets_all(first: int, last: int, shares: Legs) -> None:
    assert legs(first, last) == shares
