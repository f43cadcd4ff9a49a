"""Deleting what has expired, as a server does each hour."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from obstore.store import MemoryStore

from trunkline.recordings.objects import ObjectStore
from trunkline.work.upkeep.delete_expired import DeleteExpired, Kept


async def delete_expired(database: Any, now: int, **kept: int) -> int:
    """How many rows went, in all."""
    with tempfile.TemporaryDirectory() as spool:
        store = ObjectStore(MemoryStore())
        verb = DeleteExpired(
            database.retention, store, Path(spool), Kept(**kept), lambda: now, rest=0
        )
        return sum(each.rows for each in await verb())
