"""What a phone gets is one stream: each source's packets are numbered on, and none comes twice."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from .firm import Firm
from .stage import Stage
from .voice import Voice

CALLS = 12


async def test_packets_of_calls_that_are_not_recorded_come_once(
    module_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls at random moments: where packets went two ways, it was so in one of six."""
    came: dict[Voice, list[tuple[bytes, int]]] = {}
    receive = Voice.datagram_received

    def received(voice: Voice, data: bytes, addr: Any) -> None:
        came.setdefault(voice, []).append((data[8:12], int.from_bytes(data[2:4], "big")))
        receive(voice, data, addr)

    monkeypatch.setattr(Voice, "datagram_received", received)
    firm = await Firm.open(module_stage, recorded=False)
    firm.begin()
    for _ in range(CALLS):
        hers = await firm.alice.dial("102").up()
        his = await firm.bob.taken()
        await asyncio.gather(hers.voice.hears(his.tone), his.voice.hears(hers.tone))
        await hers.hang_up()
    await firm.end()
    assert len(came) == 2 * CALLS
    for heads in came.values():
        for source in {source for source, _ in heads}:
            numbers = [number for each, number in heads if each == source]
            steps = {(after - before) & 0xFFFF for before, after in pairwise(numbers)}
            assert steps <= {1}, heads[:10]
