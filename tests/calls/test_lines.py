"""What live calls hold: the same at any moment as if it were counted anew, and nothing once they are over."""

from __future__ import annotations

import pytest

from calls.replay import Ledger, Scenario, names, scenario
from trunkline.calls.lines import LiveLines


def counted(ledger: Ledger) -> LiveLines:
    lines = LiveLines()
    for call in ledger.calls.values():
        lines.changed(call)
    return lines


@pytest.mark.parametrize("name", names())
def test_what_is_kept_is_what_would_be_counted(name: str) -> None:
    scene: Scenario = scenario(name)
    ledger, kept = Ledger(), LiveLines()
    ledger.take(*scene.requests)
    for row in (*scene.rows, None):
        ledger.take(*(scene.facts_of(row) if row else scene.deaths))
        for call in ledger.calls.values():
            kept.changed(call)
        assert vars(kept) == vars(counted(ledger))
    assert all(call.over for call in ledger.calls.values())
    assert vars(kept) == vars(LiveLines())
