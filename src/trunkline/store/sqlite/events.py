"""Each account's numbered log."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.common.numbering import numbered
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.writer import Writer


def store_events(
    connection: sqlite3.Connection, announcements: Sequence[Announcement]
) -> list[StoredEvent]:
    """Number the announcements, each in its account, and store them; the only way an event is made.

    The number is taken in the same transaction, so a number is never skipped and never given twice.
    What an account that is no more would have been told is left out.
    """
    sql = named("events")
    following = _take_numbers(connection, announcements)
    stored = []
    for announcement in announcements:
        seq = following.get(announcement.account_id)
        if seq is not None:
            stored.append(numbered(announcement, seq))
            following[announcement.account_id] = seq + 1
    if stored:
        sql.add_events(connection, [msgspec.structs.asdict(event) for event in stored])
    return stored


def _take_numbers(
    connection: sqlite3.Connection, announcements: Sequence[Announcement]
) -> dict[str, int]:
    """account id -> the first of the numbers that are now its own."""
    take = named("events").take_numbers
    wanted = Counter(announcement.account_id for announcement in announcements)
    last = {account: take(connection, account_id=account, n=n) for account, n in wanted.items()}
    return {account: seq - wanted[account] + 1 for account, seq in last.items() if seq is not None}


class SqliteEvents:
    """Each account's numbered log (see ``db.port.Events``)."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = named("events")

    async def after(self, account_id: str, seq: int, limit: int) -> list[StoredEvent]:
        """At most ``limit`` events that follow number ``seq``, in order."""
        rows = self._reader.all(self._sql.after, account_id=account_id, seq=seq, limit=limit)
        return [StoredEvent(*row) for row in rows]

    async def of_call(
        self, account_id: str, call_id: str, seq: int, limit: int
    ) -> list[StoredEvent]:
        """At most ``limit`` events of the call that follow number ``seq``, in order."""
        rows = self._reader.all(
            self._sql.of_call_after, account_id=account_id, call_id=call_id, seq=seq, limit=limit
        )
        return [StoredEvent(*row) for row in rows]

    async def bounds(self, account_id: str) -> tuple[int, int]:
        """(oldest number kept, newest number given); when none is kept, oldest is newest + 1."""
        row = self._reader.one(self._sql.bounds, account_id=account_id)
        return (1, 0) if row is None else (row[0], row[1])

    async def append(self, announcements: Sequence[Announcement]) -> list[StoredEvent]:
        """Number and store events that belong to no call."""
        return await self._writer.run(lambda connection: store_events(connection, announcements))

    async def device_state(
        self, device_id: str, online: bool, announcement: Announcement
    ) -> StoredEvent | None:
        """Store the device's new state with its event; None (and no event) if it was so already.

        A device that was never heard of was offline; one that is no more changes nothing.
        """

        def change(connection: sqlite3.Connection) -> StoredEvent | None:
            changed = self._sql.set_device_state(
                connection, device_id=device_id, online=online, at=announcement.at
            )
            return next(iter(store_events(connection, [announcement] if changed else [])), None)

        return await self._writer.run(change)

    async def device_states(self) -> Mapping[str, bool]:
        """SIP user of a device -> online, as last stored."""
        return {id_: bool(online) for id_, online in self._reader.all(self._sql.device_states)}

    async def trunk_state(
        self, trunk_id: str, up: bool, announcement: Announcement
    ) -> StoredEvent | None:
        """Store the trunk's new state with its event; None (and no event) if it was so already.

        A trunk's first state is a change; a trunk that is no more changes nothing.
        """

        def change(connection: sqlite3.Connection) -> StoredEvent | None:
            changed = self._sql.set_trunk_state(
                connection, trunk_id=trunk_id, up=up, at=announcement.at
            )
            return next(iter(store_events(connection, [announcement] if changed else [])), None)

        return await self._writer.run(change)

    async def trunk_states(self) -> Mapping[str, bool]:
        """trunk id -> up, as last stored."""
        return {id_: bool(up) for id_, up in self._reader.all(self._sql.trunk_states)}
