"""kill -9 while calls come in at five a second: nothing is lost, doubled or left open."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from .carrier import Calling
from .listener import Listener, RawWebSocket
from .ports import loopback
from .stage import Stage, Tenant
from .truth import by_call, truthful
from .waiting import until

DID = "842873009000"
RATE = 5


async def under_load(stage: Stage, calls: int, hold: float = 4) -> tuple[Tenant, Calling]:
    """Calls from a carrier to a phone that answers them all; SIPp plays both."""
    tenant, address = await stage.tenant(), loopback()
    device = await tenant.user("desk")
    await tenant.trunk(f"{address}:5060")
    await tenant.number(DID, "desk")
    await stage.sipp_phone(device)
    return tenant, stage.calling(address, DID, calls=calls, rate=RATE, hold=hold)


async def more_calls(calling: Calling, count: int) -> None:
    """Wait until that many more calls have been placed, or all: a busy machine is slow to start servers."""
    enough = min(calling.begun + count, calling.calls)
    await until(lambda: calling.begun >= enough, f"{count} more calls", 60)


async def test_python_killed_under_load(own_stage: Stage) -> None:
    stage, server, calls = own_stage, own_stage.server, 75
    tenant, calling = await under_load(stage, calls)
    await more_calls(calling, 20)
    engine = server.engine_pid
    await server.kill9()
    done = calling.succeeded
    await more_calls(calling, 15)
    await until(lambda: calling.succeeded > done, "calls that end without Python")
    await server.start()
    assert server.engine_pid == engine
    assert await calling.finished(90) == calls
    records = await truthful(stage, tenant, calls)
    assert Counter(one["status_detail"] for one in records) == {"SUCCESS": calls}
    assert all(3 <= one["billing_seconds"] <= 7 for one in records)


@pytest.mark.parametrize("own_server", ["postgresql"], indirect=True)
async def test_python_killed_again_and_again(own_stage: Stage) -> None:
    stage, server, calls = own_stage, own_stage.server, 90
    tenant, calling = await under_load(stage, calls, hold=2)
    for _ in range(3):
        await more_calls(calling, 15)
        await server.kill9()
        await server.start()
    assert await calling.finished(90) == calls
    records = await truthful(stage, tenant, calls)
    assert Counter(one["status_detail"] for one in records) == {"SUCCESS": calls}


async def test_the_engine_killed_under_load(own_stage: Stage) -> None:
    stage, server, calls = own_stage, own_stage.server, 60
    tenant, calling = await under_load(stage, calls)
    listener = await stage.listen(RawWebSocket, tenant)
    await more_calls(calling, 25)
    killed = server.kill9_engine()
    await until(lambda: server.engine_pid not in (None, killed), "another engine", 30)
    await until(server.healthy, "/healthz 200", 30)
    await calling.program.ended(120)
    again = await until(lambda: answered_call(stage, tenant), "a call after the crash", 60, 1)
    assert again == 1
    await until(lambda: all_closed(listener), "the end of every call", 60)
    records = await truthful(stage, tenant, len(by_call(listener)))
    ends = Counter(one["status_detail"] for one in records)
    assert set(ends) <= {"SUCCESS", "UNSUCCESS"}
    assert ends["SUCCESS"] >= 20, ends


async def answered_call(stage: Stage, tenant: Tenant) -> int:
    """One more call by the same way; gives 1 if it was answered and ended well."""
    host = (await stage.server.cli("trunk", "list", "--account", tenant.name))[0]["host"]
    address = host.rsplit(":", 1)[0]
    return await stage.calling(address, DID, hold=1).finished(40)


def all_closed(listener: Listener) -> bool:
    """Has every call that began ended?"""
    return {e.call_id for e in listener.named("CHANNEL_CREATE")} <= {
        e.call_id for e in listener.named("CALL_ENDED")
    }


async def test_python_and_engine_both_killed(own_stage: Stage) -> None:
    stage, server = own_stage, own_stage.server
    tenant, calling = await under_load(stage, 25, hold=30)
    await more_calls(calling, 20)
    await asyncio.sleep(1)  # let some of them be joined
    await server.kill9()
    server.kill9_engine()
    await calling.stop()
    await server.start()
    records = await tenant.api.records(20, 30)
    told = await truthful(stage, tenant, len(records))
    assert all(one["duration_seconds"] < 15 for one in told), "ended at the last sign of life"
