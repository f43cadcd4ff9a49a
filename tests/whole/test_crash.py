"""kill -9 while calls come in at five a second: nothing is lost, doubled or left open."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from .carrier import Calling
from .listener import Listener, RawWebSocket, Seen
from .ports import loopback
from .stage import Stage, Tenant
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


async def whole_log(stage: Stage, tenant: Tenant, ended: int, timeout: float = 30) -> Listener:
    """Everything in the account's log, read by replay from number 0, once all calls have ended."""
    listener = await stage.listen(RawWebSocket, tenant, 0)
    await until(lambda: len(listener.named("CALL_ENDED")) >= ended, f"{ended} CALL_ENDED", timeout)
    return listener


def numbers(events: list[Seen]) -> list[int]:
    return [seen.seq for seen in events]


def by_call(listener: Listener) -> dict[str, list[Seen]]:
    calls: dict[str, list[Seen]] = {}
    for seen in listener.events.all:
        if seen.call_id:
            calls.setdefault(seen.call_id, []).append(seen)
    return calls


def oddities(events: list[Seen], record: dict[str, Any] | None) -> list[str]:
    """What is wrong with one finished call's events; nothing, it is hoped."""
    odd, legs = [], Counter((e.name, e.data.get("call_id")) for e in events)
    created = [leg for name, leg in legs if name == "CHANNEL_CREATE"]
    for leg in created:
        odd += [
            f"{name} x{legs[name, leg]} on leg {leg}"
            for name in ("CHANNEL_CREATE", "CHANNEL_DESTROY")
            if legs[name, leg] != 1
        ]
        odd += [f"two answers on {leg}"] if legs["CHANNEL_ANSWER", leg] > 1 else []
    ended = [e for e in events if e.name == "CALL_ENDED"]
    odd += [f"CALL_ENDED x{len(ended)}"] if len(ended) != 1 else []
    odd += ["no record"] if record is None else []
    if ended and record:
        odd += [
            f"{key}: {ended[0].data.get(key)!r} in the event, {value!r} in the history"
            for key, value in record.items()
            if ended[0].data.get(key) != value
        ]
    return odd


async def truthful(stage: Stage, tenant: Tenant, calls: int) -> list[dict[str, Any]]:
    """Each call has one record and whole events without gap or repeat; gives the records."""
    listener = await whole_log(stage, tenant, calls)
    records = {one["call_id"]: one for one in await tenant.api.history()}
    assert len(records) == len(await tenant.api.history())
    assert numbers(listener.events.all) == list(range(1, len(listener.events.all) + 1))
    found = {
        call_id: odd
        for call_id, events in by_call(listener).items()
        if (odd := oddities(events, records.get(call_id)))
    }
    assert found == {}
    assert set(by_call(listener)) == set(records)
    return list(records.values())


async def more_calls(calling: Calling, count: int) -> None:
    """Wait until that many more calls have been placed."""
    enough = calling.begun + count
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
