"""How the RTP ports are shared."""

from __future__ import annotations

import pytest

from trunkline.routing.ports import Legs, legs


@pytest.mark.parametrize(
    ("first", "last", "shares"),
    [
        (10_000, 20_000, Legs(4750, 3562, 1187)),
        (30_000, 30_399, Legs(190, 142, 47)),
        (30_000, 30_039, Legs(18, 13, 4)),
        (30_000, 30_003, Legs(2, 2, 2)),
    ],
)
def test_nobody_gets_all(first: int, last: int, shares: Legs) -> None:
    assert legs(first, last) == shares
