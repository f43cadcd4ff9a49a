"""What the fold made of recorded calls, to be committed again under other ids."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from trunkline.bus.local import LocalBus
from trunkline.engine.listen.log_follower import LogFollower
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import Batch, Database
from trunkline.work.follow.follow_log import CallLog

from .kept import REALM, Kept
from .recorded import Calls

_CALLS = 200


class _Kept:
    """``db.port.Calls``, as far as the fold uses it: keeps each batch."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch) -> list[StoredEvent]:
        self.batches.append(batch)
        return []

    async def known(self, call_id: str) -> bool:
        return False


class _Database:
    """The real directory, and nothing written."""

    def __init__(self, db: Database) -> None:
        self.calls, self.directory = _Kept(), db.directory


async def folded_calls(kept: Kept, db: Database) -> list[Batch]:
    """Some calls of all companies, each with all that is written of it in one batch."""
    caught: Any = _Database(db)
    made = Calls(kept.accounts, 0, 0, 0)
    log = CallLog(caught, LocalBus(), Node(REALM, "bench"), _clock, MessageIds(_clock))
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        for n in range(_CALLS):
            file = Path(folder) / f"{n}.csv"
            file.write_bytes(made.logs([n]))
            part = LogFollower(file, None).read()
            assert part is not None
            await log.take(part)
    batches: list[Batch] = caught.calls.batches
    assert len(batches) == _CALLS
    return batches


def renewed(batch: Batch, call_id: str, at: int) -> Batch:
    """The same call under another id, started at another time."""
    (record,) = batch.finished
    later, old = at - record.started_at, record.answered_at
    finished = replace(
        record,
        call_id=call_id,
        started_at=at,
        answered_at=None if old is None else old + later,
        ended_at=record.ended_at + later,
        recording=record.recording and f"call_recording_{call_id}.mp3",
    )
    return Batch(
        facts=[replace(fact, call_id=call_id, at=fact.at + later) for fact in batch.facts],
        announcements=[
            replace(each, call_id=call_id, at=each.at + later) for each in batch.announcements
        ],
        finished=[finished],
        opened=[(call_id, record.account_id, at)],
        closed=[call_id],
    )


def joined(batches: Sequence[Batch]) -> Batch:
    """All of them in one, as the log's follower has them when much comes at once."""
    return Batch(
        facts=[fact for batch in batches for fact in batch.facts],
        announcements=[each for batch in batches for each in batch.announcements],
        finished=[record for batch in batches for record in batch.finished],
        opened=[call for batch in batches for call in batch.opened],
        closed=[call_id for batch in batches for call_id in batch.closed],
    )


def _clock() -> int:
    return time.time_ns() // 1000
