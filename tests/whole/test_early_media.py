"""A carrier whose sound comes from one place while it rings, and from another once it is answered."""

from __future__ import annotations

import pytest

from .firm import Firm
from .party import Taking
from .ports import loopback
from .stage import together
from .voice import Voice


@pytest.mark.parametrize("forks", [False, True])
async def test_the_answer_names_another_place_than_the_ringing(forks: bool, firm: Firm) -> None:
    """Whoever has picked up waits to be greeted, so the answer alone says where."""
    carrier = firm.carrier
    carrier.taking = Taking(after=None, alert=183)
    dialled = firm.alice.dial("0901234567")
    rung = await carrier.rung()
    await dialled.voice.hears(rung.tone)
    ringing = rung.voice
    carrier.named = loopback()
    rung.voice = await Voice.open(carrier.named, rung.tone)
    ringing.speaking = rung.voice.speaking = False
    if forks:
        assert rung.ours
        rung.ours = rung.ours.replace(rung.tag, "another")
    try:
        await rung.pick_up()
        await dialled.up()
        await rung.voice.hears(dialled.tone)
        rung.voice.speaking = True
        await together(
            dialled.voice.hears(rung.tone),
            rung.voice.hears(dialled.tone),
        )
        await dialled.hang_up()
    finally:
        carrier.named = ""
        ringing.close()
