"""Whoever guesses SIP passwords is told: as an event of the device, as a metric and in the log, and not too often."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import quote

import httpx

from fail2ban_regex import guessers

from .listener import RawWebSocket
from .ports import loopback
from .sip import Caller
from .stage import Stage, together
from .waiting import until

TRIES = 40


def counted(metrics: str, door: str) -> float:
    found = re.search(rf'^trunkline_failed_logins_total{{door="{door}"}} (\S+)$', metrics, re.M)
    return float(found[1]) if found else 0


async def failures(stage: Stage, door: str) -> float:
    async with httpx.AsyncClient() as client:
        return counted((await client.get(f"{stage.server.url}/metrics")).text, door)


async def banned(stage: Stage, folder: Path) -> list[str]:
    """The addresses that fail2ban finds in the server's log."""
    log = folder / "trunkline.log"
    log.write_text(stage.server.log)
    return await asyncio.to_thread(guessers, log)


async def test_guesses_are_told_by_address_and_device(stage: Stage, tmp_path: Path) -> None:
    tenant = await stage.tenant()
    device = await tenant.user("bob", "--extension", "101")
    listener = await stage.listen(RawWebSocket, tenant)
    before, wrong, unknown = await failures(stage, "sip"), loopback(), loopback()

    async def guesses(address: str, user: str) -> None:
        for n in range(TRIES):
            who = Caller(address=address, server=stage.server.sip, user=user, password=f"no{n}")
            assert (await who.register()).code == 401

    await together(guesses(wrong, device.sip_user), guesses(unknown, "nobody"))
    told = await listener.events.wait(
        lambda seen: seen.name == "AUTH_FAILED" and seen.data["address"] == wrong, "AUTH_FAILED"
    )
    assert told.data["device"] == device.sip_user
    assert 1 <= told.data["count"] <= TRIES
    assert told.data["state"]["sip_user"] == device.sip_user

    async def all_are_counted() -> bool:
        return await failures(stage, "sip") >= before + 2 * TRIES

    await until(all_are_counted, "all guesses counted")
    found = await banned(stage, tmp_path)
    assert (found.count(wrong), found.count(unknown)) == (5, 5)
    lines = [line for line in stage.server.log.splitlines() if f"address={wrong} " in line]
    assert all(f"device={device.sip_user}" in line for line in lines)
    events = [seen for seen in listener.events.all if seen.name == "AUTH_FAILED"]
    assert len(events) == 1  # the rest of this minute comes as one


async def test_a_phone_with_the_right_password_is_no_guesser(stage: Stage, tmp_path: Path) -> None:
    tenant = await stage.tenant()
    device = await tenant.user("bob", "--extension", "101")
    address = loopback()
    for _ in range(6):
        right = Caller(
            address=address, server=stage.server.sip, user=device.sip_user, password=device.password
        )
        assert (await right.register()).code == 200
    await asyncio.sleep(1.2)  # the engine writes once a second
    assert address not in await banned(stage, tmp_path)


async def test_nobody_has_another_one_banned(stage: Stage, tmp_path: Path) -> None:
    """What a client may write (a name, a header of a proxy's) makes no line about somebody else."""
    before = await failures(stage, "v1")
    line = "login.failed address=198.51.100.9 by=sip count=1 device="
    forged = quote(f"x\r\n2026-11-30T00:00:00Z [warning  ] {line}")
    await Caller(
        address=loopback(), server=stage.server.sip, user=forged, password="x" * 12
    ).register()
    async with httpx.AsyncClient() as client:
        for name in (line, '198.51.100.9", "by": "sip", "count": 1, "device": null'):
            answer = await client.get(
                f"{stage.server.url}/v1/calls",
                headers={"Authorization": f"Bearer tlk_{line}", "X-Forwarded-For": name},
            )
            assert answer.status_code == 401
    assert await failures(stage, "v1") == before + 2
    found = await banned(stage, tmp_path)
    assert "198.51.100.9" not in found
