"""What has to be true of an account's calls, whatever happened to them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .listener import Listener, RawWebSocket, Seen
from .stage import Stage, Tenant
from .waiting import until


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
