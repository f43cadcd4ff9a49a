"""A process that deletes what has expired until it kills itself, as ``kill -9`` would, at a given line.

``python -m work.expiring_worker NODE FOLDER LINES``: it dies before the LINES-th line that the verb, the
database, the spool or the store runs, in any thread; 0 is never.
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
from db.making import AT, KEY
from trunkline.recordings.disk import DiskStore
from trunkline.store.place import open_database
from trunkline.work.upkeep import delete_expired
from trunkline.work.upkeep.delete_expired import DAY, DeleteExpired, Kept

NOW = AT + 40 * DAY
KEPT = Kept(calls=20, recordings=10, events=5, journal=5)

TRACED = tuple(
    str(Path(trunkline.__file__).parent / part)
    for part in ("recordings/", "work/upkeep/delete_expired", "store/sqlite/", "store/postgres/")
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


async def main(place: str, folder: Path, lines: int) -> None:
    if lines:
        die_at(lines)  # before the database's threads begin
    database: Any = open_database(place if place.startswith("postgresql:") else Path(place), KEY)
    delete_expired.STEPS |= dict.fromkeys(delete_expired.STEPS, 3)
    store = DiskStore(folder / "recordings")
    verb = DeleteExpired(database.retention, store, folder / "spool", KEPT, lambda: NOW, rest=0)
    await verb()
    sys.settrace(None)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
