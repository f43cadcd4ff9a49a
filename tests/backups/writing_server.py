"""Writes calls and recordings without end, as a server does, and prints each that is acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from store.making import announcement, record
from trunkline.recordings.disk import DiskStore
from trunkline.store.ports.database import Batch
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import open_database


async def main(data: Path, account_id: str) -> None:
    database = open_database(data / "trunkline.db", open_key(data / "secret.key"))
    store, raw = DiskStore(data / "recordings"), data / "some.raw"
    numbers = itertools.count()

    async def write() -> None:
        for n in numbers:
            name = f"call_recording_c{n}.mp3"
            batch = Batch(
                finished=[record(f"c{n}", account_id, recording=name)],
                announcements=[announcement(account_id, n)],
            )
            if n % 20 == 0:
                raw.write_bytes(b"audio %d" % n)
                await store.put(name, raw)
            await database.calls.commit(batch)
            os.write(1, b"%d\n" % n)

    await asyncio.gather(*(write() for _ in range(4)))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
