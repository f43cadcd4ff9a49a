"""Each account's numbered log."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.common.numbering import numbered
from trunkline.store.sqlite.queries import named


async def store_events(
    connection: sqlite3.Connection, announcements: Sequence[Announcement]
) -> list[StoredEvent]:
    """Number the announcements, each in its account, and store them; the only way an event is made.

    The number is taken in the same transaction, so a number is never skipped and never given twice.
    What an account that is no more would have been told is left out.
    """
    sql = named("events")
    following = await _take_numbers(connection, announcements)
    stored = []
    for announcement in announcements:
        seq = following.get(announcement.account_id)
        if seq is not None:
            stored.append(numbered(announcement, seq))
            following[announcement.account_id] = seq + 1
    if stored:
        await sql.add_events(connection, [msgspec.structs.asdict(event) for event in stored])
    return stored


async def _take_numbers(
    connection: sqlite3.Connection, announcements: Sequence[Announcement]
) -> dict[str, int]:
    """account id -> the first of the numbers that are now its own."""
    take = named("events").take_numbers
    wanted = Counter(announcement.account_id for announcement in announcements)
    last = {
        account: await take(connection, account_id=account, n=n) for account, n in wanted.items()
    }
    return {account: seq - wanted[account] + 1 for account, seq in last.items() if seq is not None}


async def lock_accounts(_: sqlite3.Connection, account_ids: Collection[str]) -> None:
    """Nothing: there is one writer."""
