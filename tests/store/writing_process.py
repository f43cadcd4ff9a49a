"""Writes without end, and prints the number of each batch that is acknowledged; to be killed."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from store.making import KEY, announcement, record, started
from trunkline.calls.cel import LogPosition
from trunkline.store.location import Location
from trunkline.store.opening import open_database
from trunkline.store.ports.database import Batch


async def main(place: Location, account_id: str) -> None:
    database = open_database(place, KEY)
    numbers = itertools.count()

    async def write() -> None:
        for n in numbers:
            await database.calls.commit(
                Batch(
                    facts=[started(f"c{n}", account_id)],
                    finished=[record(f"c{n}", account_id, recording=f"call_recording_c{n}.mp3")],
                    announcements=[announcement(account_id, n)],
                    node_id=f"node{n % 8}",
                    position=LogPosition(1, n),
                )
            )
            os.write(1, b"%d\n" % n)

    await asyncio.gather(*(write() for _ in range(8)))


place = sys.argv[1]
asyncio.run(main(place if place.startswith("postgresql:") else Path(place), sys.argv[2]))
