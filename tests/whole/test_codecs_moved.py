"""Live sound across codecs: whoever comes in by a transfer is heard, however far behind their packets' numbers are.

Debian's Asterisk lets each translation drop frames whose sequence number looks late (decision 16); the one
towards a party that stays lives on while others come and go.
"""

from __future__ import annotations

import asyncio

import pytest

from .phone import Phone
from .stage import Stage, Tenant, together
from .test_secure_phones import with_device

AHEAD = 30_000
"""By so much are the numbers of whoever leaves before those of who comes: half of all there are, nearly."""


async def staying(stage: Stage, tenant: Tenant, codec: str) -> Phone:
    return await stage.phone(await with_device(tenant, "alice", "101"), tone=440, codecs=codec)


@pytest.mark.parametrize("attended", [False, True])
@pytest.mark.parametrize("codec", ["opus", "G722", "PCMA", "PCMU"])
async def test_who_comes_in_is_heard(codec: str, attended: bool, stage: Stage) -> None:
    tenant = await stage.tenant()
    bob, carol = await together(
        with_device(tenant, "bob", "102"), with_device(tenant, "carol", "103")
    )
    alice, leaves, comes = await together(
        staying(stage, tenant, codec), stage.party(bob, tone=620), stage.party(carol, tone=830)
    )
    await alice.dial("102")
    await alice.wait_for("CALL_ESTABLISHED")
    call = leaves.calls[0]
    call.voice.first = AHEAD
    await call.voice.hears(440)
    await asyncio.sleep(1)
    if attended:
        second = await leaves.dial("103").up()
        await second.voice.hears(830)
        await call.transfer(second)
    else:
        await call.transfer("103")
    new = comes.calls[0]
    await new.voice.hears(440)
    await asyncio.sleep(2)
    await new.hang_up()
    await alice.wait_for("CALL_CLOSED")
    tones = [round(tone) for tone, _ in alice.heard.said(0)]
    assert [tone for tone in tones if tone in range(818, 843)], tones


@pytest.mark.parametrize("codec", ["opus", "G722", "PCMU"])
async def test_after_a_hold_both_are_heard(codec: str, stage: Stage) -> None:
    tenant = await stage.tenant()
    bob = await with_device(tenant, "bob", "102")
    alice, other = await together(staying(stage, tenant, codec), stage.party(bob, tone=620))
    await alice.dial("102")
    await alice.wait_for("CALL_ESTABLISHED")
    call = other.calls[0]
    await call.voice.hears(440)
    await call.hold()
    call.voice.first = AHEAD
    await asyncio.sleep(1)
    await call.resume()
    await call.voice.hears(440)
    await asyncio.sleep(2)
    call.voice.first = 0  # as from a new source
    await asyncio.sleep(2)
    await call.hang_up()
    await alice.wait_for("CALL_CLOSED")
    assert alice.heard.heard(0)[-6:-2] == pytest.approx([620] * 4, abs=12)
