"""Another process that appends events to accounts' logs, as fast as it can; prints how many it has."""

from __future__ import annotations

import asyncio
import sys

from store.making import KEY, announcement
from trunkline.store.postgres import open_database


async def main(url: str, times: int, account_ids: list[str]) -> None:
    database = open_database(url, KEY)
    for n in range(times):
        await asyncio.gather(
            *(database.events.append([announcement(each, n)] * (1 + n % 3)) for each in account_ids)
        )
    await database.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
