"""RTP ports: nobody takes them all, and a call that would have none is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from .conftest import SHORT
from .listener import RawWebSocket
from .party import BY_HAND
from .ports import Ports
from .server import Server
from .stage import Stage, together
from .waiting import until

LEGS = 40
"""Of 80 ports: 38 for calls, 34 for an account, 19 for a device's calls."""


@pytest_asyncio.fixture(loop_scope="session")
async def few(ports: Ports, tmp_path: Path) -> AsyncIterator[Stage]:
    server = Server(tmp_path / "data", ports.one(), ports.one(), ports.range(2 * LEGS), SHORT)
    stage = Stage(await server.start(), ports, tmp_path)
    yield stage
    await stage.close()
    await server.stop()


async def test_a_device_and_an_account_leave_ports_to_others(few: Stage) -> None:
    mine, other = await together(few.tenant("--no-record"), few.tenant("--no-record"))
    users = [f"user{nth}" for nth in range(5)]
    devices = await mine.people(
        **{name: ("--extension", f"10{nth}") for nth, name in enumerate(users)}
    )
    mine_all = await together(*(few.party(one, tone=440) for one in devices))
    neighbours = await other.people(ann=("--extension", "101"), ben=("--extension", "102"))
    ann, ben = await together(*(few.party(one, tone=620) for one in neighbours))
    listener = await few.listen(RawWebSocket, mine)
    rung = mine_all[-1]
    rung.taking = BY_HAND
    every = []
    for nth in range(80):
        every.append(mine_all[nth // 20].dial("104"))
        await asyncio.sleep(0.03)  # one that is refused has its ports until it is over
    await until(lambda: all(call.alerts or call.code for call in every), "an answer to each", 30)
    ringing = [
        len([call for call in every[20 * nth : 20 * nth + 20] if not call.code]) for nth in range(4)
    ]
    assert max(ringing) == ringing[0] == 9  # of both legs each
    assert 15 <= sum(ringing) <= 17
    assert {call.code for call in every} == {0, 503}
    # Others go on, with sound.
    talk = await ann.dial("102").up()
    await talk.voice.hears(ben.tone)
    await talk.hang_up()
    refused = 80 - sum(ringing)
    await until(lambda: len(listener.named("CALL_REFUSED")) == refused, "each refusal", 20)
    assert {one.data["reason"] for one in listener.named("CALL_REFUSED")} == {"NO_PORTS"}
    answer = await mine.api.click_to_call("104", devices[0].sip_user, devices[0].password)
    assert (answer.status_code, answer.json()["message"]) == (503, "RATE_LIMITED")
    # Help is called for all the same.
    carrier = await few.far_party("carrier", tone=1200)
    await mine.trunk(f"{carrier.address}:{carrier.port}")
    sos = await mine_all[0].dial("112").up()
    await sos.voice.hears(carrier.tone)
    await sos.hang_up()
    for call in every:
        if not call.code:
            await call.hang_up()
    await until(lambda: not rung.live, "the end of all", 10)
    again = await mine_all[0].dial("101").up()
    await again.voice.hears(mine_all[1].tone)
    await again.hang_up()
