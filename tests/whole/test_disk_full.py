"""The data directory is full: no call begins that would leave no record, and those that are up end on theirs."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio

from .conftest import SHORT
from .firm import BOBS_DID, Firm, talked
from .ports import Ports
from .server import Server
from .small_disk import SmallDisk, small_disk
from .stage import Stage
from .waiting import until


@pytest_asyncio.fixture(loop_scope="session")
async def disk(tmp_path: Path) -> AsyncIterator[SmallDisk]:
    with small_disk(tmp_path / "data") as mounted:
        yield mounted


@pytest_asyncio.fixture(loop_scope="session")
async def firm(disk: SmallDisk, ports: Ports, tmp_path: Path) -> AsyncIterator[Firm]:
    """The firm on a server whose data directory is a disk of its own."""
    server = Server(disk.at, ports.one(), ports.one(), ports.range(200), SHORT)
    stage = Stage(server, ports, tmp_path)
    try:
        await server.start()
        yield await Firm.open(stage)
    finally:
        await stage.close()
        await server.stop()


async def refused(firm: Firm) -> None:
    """A call out, a call in and a call inside are refused as ones that may work later; nobody rings."""
    rung = len(firm.carrier.calls), len(firm.carol.calls)
    placed = [
        await firm.carol.dial("0901234567").over(),
        await firm.carol.dial("102").over(),
        await firm.carrier.dial(BOBS_DID).over(),
    ]
    assert [call.code for call in placed] == [503] * 3
    assert (len(firm.carrier.calls), len(firm.carol.calls)) == (rung[0] + 1, rung[1] + 2)


async def metric(firm: Firm, name: str) -> float:
    """One number of /metrics."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{firm.stage.server.url}/metrics")).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))


async def test_a_full_disk_takes_no_new_call_and_loses_no_end(firm: Firm, disk: SmallDisk) -> None:
    server, said_to = firm.stage.server, ("bob", "0901234567", "alice")
    early = firm.alice.dial("102")
    late = firm.carol.dial("0901234567")
    for call in (early, late):
        await call.up()
    answered = await firm.bob.taken(), await firm.carrier.taken()
    await until(lambda: _contacts(disk) == 3, "that Asterisk has stored who has registered")
    disk.fill()

    await refused(firm)
    click = await firm.tenant.api.click_to_call(
        "0901234567", firm.devices["alice"].sip_user, firm.devices["alice"].password
    )
    assert (click.status_code, click.json()["message"]) == (503, "ENGINE_UNAVAILABLE")
    assert not await server.healthy()
    await until(lambda: _refused(firm, 3), "the count of refused calls")
    await early.hang_up()

    await server.kill9()
    await refused(firm)
    disk.fill()
    await asyncio.sleep(1)
    await late.hang_up()
    server.launch()
    await until(lambda: server.log.count("engine.adopted"), "the server, on the full disk", 30)
    disk.make_room()
    await until(server.healthy, "/healthz 200")
    placed = firm.carol.dial("101")
    await placed.up()
    answered = *answered, await firm.alice.taken()
    await placed.hang_up()

    await until(lambda: _records(firm, 9), "all records", 30)
    records = await firm.tenant.api.history()
    said = {
        one["callee"].get("username") or one["callee"]["number"]: one["billing_seconds"]
        for one in records
        if one["status_detail"] == "SUCCESS"
    }
    spoke = {
        name: talked(call, other)
        for name, call, other in zip(said_to, (early, late, placed), answered, strict=True)
    }
    assert (len(records), set(said)) == (9, set(said_to)), records
    assert all(abs(said[name] - spoke[name]) <= 1.2 for name in said_to), (said, spoke)


def _contacts(disk: SmallDisk) -> int:
    astdb = disk.at / "engine" / "lib" / "astdb.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{astdb}?mode=ro", uri=True)) as connection:
        query = "SELECT count(*) FROM astdb WHERE key LIKE '/registrar/contact/%'"
        return int(connection.execute(query).fetchone()[0])


async def _refused(firm: Firm, count: int) -> bool:
    return await metric(firm, "trunkline_calls_refused_for_room_total") >= count


async def _records(firm: Firm, count: int) -> bool:
    return len(await firm.tenant.api.history()) >= count
