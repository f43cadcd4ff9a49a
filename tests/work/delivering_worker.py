"""A process that delivers webhooks until it kills itself, as ``kill -9`` would, at a given line.

``python -m work.delivering_worker DATABASE ACCOUNT EVENTS LINES``: it stores so many events while it
delivers, and dies before the LINES-th line that the verbs, the edge or the database's part of webhooks
run, in any thread; 0 is never.
"""

from __future__ import annotations

import asyncio
import glob
import itertools
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import trunkline
from store.making import KEY
from trunkline.bus.local import LocalBus
from trunkline.delivery.verdict import RetryPolicy
from trunkline.events.message_ids import MessageIds
from trunkline.store.sqlite import open_database
from trunkline.webhooks.post import HttpPost
from trunkline.work.deliver.deliver_webhooks import DeliverWebhooks

from .webhook_office import LOOPBACK, now, said

CALLS = 6
RULES = RetryPolicy(pauses=(0.02,) * 10_000, suspend_after=3600)
TRACED = tuple(
    str(Path(trunkline.__file__).parent / part)
    for part in (
        *(
            "webhooks/",
            "work/deliver/deliver_webhooks",
            "work/deliver/examine_events",
            "work/deliver/webhook_",
        ),
        *("store/common/deliveries", "store/common/webhooks"),
    )
)
assert all(glob.glob(f"{part}*") for part in TRACED)


def die_at(last: int) -> None:
    """SIGKILL this process before that line is run."""
    lines = itertools.count(1)

    def count(frame: FrameType, event: str, arg: object) -> Any:
        if event == "line" and next(lines) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return count

    def enter(frame: FrameType, event: str, arg: object) -> Any:
        return count if frame.f_code.co_filename.startswith(TRACED) else None

    threading.settrace(enter)
    sys.settrace(enter)


async def main(path: Path, account_id: str, events: int, lines: int) -> None:
    if lines:
        die_at(lines)  # first of all: the database's writer is a thread
    db, bus = open_database(path, KEY), LocalBus()
    post = HttpPost(LOOPBACK, now, timeout=0.3)
    deliver = DeliverWebhooks(db, bus, post, now, MessageIds(now), RULES)

    async def say() -> None:
        for n in range(events):
            bus.publish(await db.events.append([said(account_id, f"c{n % CALLS}", n)]))
            await asyncio.sleep(0.003)

    await asyncio.gather(deliver.run(), say())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
