"""A process that files recordings until it kills itself, as ``kill -9`` would, at a given line.

``python -m work.filing_worker FOLDER ROWS LINES``: it dies before the LINES-th line that the verb, the
encoder, the spool or the store runs once a recording is to be claimed, in any thread; 0 is never.
"""

from __future__ import annotations

import asyncio
import glob
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import trunkline
from trunkline.events.message_ids import MessageIds
from trunkline.recordings.disk import DiskStore
from trunkline.store.ports.database import Recordings
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import SqliteDatabase, open_database
from trunkline.work.record.file_recordings import FileRecordings

from .fake_recordings import FakeBus, FakeRecordings


def open_sqlite(folder: Path) -> SqliteDatabase:
    return open_database(folder / "trunkline.db", open_key(folder / "secret.key"))


ROWS: dict[str, Callable[[Path], Recordings]] = {
    "fake": lambda folder: FakeRecordings(folder / "rows.db"),
    "sqlite": lambda folder: open_sqlite(folder).recordings,
}


TRACED = tuple(
    str(Path(trunkline.__file__).parent / part)
    for part in ("recordings/", "work/record/file_recordings")
)
assert all(glob.glob(f"{part}*") for part in TRACED)


def die_at(last: int) -> None:
    """SIGKILL this process before that line is run."""
    lines = itertools.count(1)
    begun = threading.Event()

    def count(frame: FrameType, event: str, arg: object) -> Any:
        if event == "line" and begun.is_set() and next(lines) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return count

    def enter(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_name == "_claim_and_make":
            begun.set()
        return count if frame.f_code.co_filename.startswith(TRACED) else None

    threading.settrace(enter)
    sys.settrace(enter)


def clock() -> int:
    return time.time_ns() // 1000


async def main(folder: Path, rows: str, lines: int) -> None:
    file_recordings = FileRecordings(
        ROWS[rows](folder),
        FakeBus(),
        DiskStore(folder / "recordings"),
        folder / "spool",
        clock,
        MessageIds(clock),
        sweep_every=0.2,
        first_pause=0.05,
    )
    if lines:
        die_at(lines)
    await file_recordings.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
