"""Calls a second from the event log's rows to committed records with counts, events and webhook rows.

The product's own way: the log's follower reads, ``CallLog`` folds and commits, ``ExamineEvents`` stores a
delivery of every event for each account's endpoint; a round is over when the last one is on the disk. The
baseline writes the very rows that came of it (journal, events, calls, recordings, deliveries) to empty
tables of the same schema by the bare driver, durably, in as many commits.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from trunkline.bus.local import LocalBus
from trunkline.engine.listen.log_follower import LogFollower
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node
from trunkline.store.ports.database import Database
from trunkline.store.ports.webhooks import WebhookToAdd
from trunkline.work.deliver.examine_events import ExamineEvents
from trunkline.work.follow.follow_log import CallLog

from ..figures import Figure, compared
from .bare_rows import BareRows
from .kept import REALM, Kept
from .recorded import Calls
from .writing import settle, starting_at

CALLS, ROUNDS = 3000, 4


async def measure(kept: Kept, *, calls: int = CALLS, rounds: int = ROUNDS) -> list[Figure]:
    """So many calls in each round; one round more to warm up."""
    db = kept.open()
    ours: list[float] = []
    bare: list[float] = []
    commits = 0
    try:
        async with _endpoints(kept, db) as endpoints, BareRows(kept) as rows:
            for _ in range(rounds + 1):
                made = Calls(kept.accounts, secrets.randbits(40) << 16, starting_at(kept), 1000)
                seconds, commits = await _take_in(db, made.logs(range(calls)), endpoints)
                ours.append(seconds / calls * 1e6)
                bare.append(await rows.written(made.ids(range(calls)), commits) / calls * 1e6)
    finally:
        await db.close()
        settle(kept)
    note = f"{calls} calls in {commits} commits: {1e6 / min(ours):.0f} calls/s at best"
    name = f"{kept.name}: ingest, a call / its rows by the bare driver"
    figure = compared(name, bare[1:], ours[1:], 0.5, note=note)
    return [msgspec.structs.replace(figure, unit="µs")]


@asynccontextmanager
async def _endpoints(kept: Kept, db: Database) -> AsyncIterator[list[tuple[str, str]]]:
    """(account, endpoint): one endpoint for each account, which is gone afterwards."""
    ends = [(account_id, secrets.token_hex(16)) for account_id in kept.accounts]
    for account_id, id_ in ends:
        await db.webhooks.add(_webhook(account_id, id_), 100)
    try:
        yield ends
    finally:
        for _, id_ in ends:
            await db.webhooks.delete(id_)


def _webhook(account_id: str, id_: str) -> WebhookToAdd:
    return WebhookToAdd(
        id=id_,
        account_id=account_id,
        url="https://bench.invalid/",
        description="bench",
        events=(),
        secret="whsec_" + "A" * 32,
        after=None,
        now=_clock(),
    )


async def _take_in(
    db: Database, log: bytes, endpoints: Sequence[tuple[str, str]]
) -> tuple[float, int]:
    """(seconds, commits of calls) until every delivery is stored."""
    bus, ids = LocalBus(), MessageIds(_clock)
    calls = CallLog(db, bus, Node(REALM, "bench"), _clock, ids)
    examine = ExamineEvents(db, _clock, lambda *_: None, most_pending=1 << 60)
    await examine.refresh()
    bus.listen(examine.heard)
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        file = Path(folder) / "event.csv"
        file.write_bytes(log)
        follower, commits = LogFollower(file, None), 0
        examining = asyncio.create_task(examine.run())
        began = time.perf_counter()
        while part := follower.read():
            await calls.take(part)
            commits += 1
        for account_id, webhook_id in endpoints:
            while not await _examined(db, account_id, webhook_id):  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        seconds = time.perf_counter() - began
        examining.cancel()
    assert not calls.live
    return seconds, commits


async def _examined(db: Database, account_id: str, webhook_id: str) -> bool:
    endpoint = await db.webhooks.get(webhook_id)
    assert endpoint is not None
    return endpoint.cursor >= (await db.events.bounds(account_id))[1]


def _clock() -> int:
    return time.time_ns() // 1000
