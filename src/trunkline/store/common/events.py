"""Each account's numbered log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.common.dialect import Connection, Dialect, Reader, Writer


class SqlEvents:
    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._dialect = dialect
        self._sql = dialect.named("events")

    async def after(self, account_id: str, seq: int, limit: int) -> list[StoredEvent]:
        rows = await self._reader.all(self._sql.after, account_id=account_id, seq=seq, limit=limit)
        return [StoredEvent(*row) for row in rows]

    async def of_call(
        self, account_id: str, call_id: str, seq: int, limit: int
    ) -> list[StoredEvent]:
        rows = await self._reader.all(
            self._sql.of_call_after, account_id=account_id, call_id=call_id, seq=seq, limit=limit
        )
        return [StoredEvent(*row) for row in rows]

    async def bounds(self, account_id: str) -> tuple[int, int]:
        """When none is kept, the oldest is the newest + 1."""
        row = await self._reader.one(self._sql.bounds, account_id=account_id)
        return (1, 0) if row is None else (row[0], row[1])

    async def append(self, announcements: Sequence[Announcement]) -> list[StoredEvent]:
        return await self._writer.run(
            lambda connection: self._dialect.store_events(connection, announcements)
        )

    async def device_state(
        self, device_id: str, online: bool, announcement: Announcement
    ) -> StoredEvent | None:
        """A device that was never heard of was offline; one that is no more changes nothing."""
        which = {"device_id": device_id, "online": online}
        return await self._state(self._sql.set_device_state, announcement, **which)

    async def device_secure(self, sip_user: str, secure: bool, at: int) -> bool:
        """One that was never heard of did not."""

        async def change(connection: Connection) -> bool:
            return bool(
                await self._sql.set_device_secure(
                    connection, sip_user=sip_user, secure=secure, at=at
                )
            )

        return await self._writer.run(change)

    async def device_since(self, device_id: str) -> tuple[bool, int | None]:
        row = await self._reader.one(self._sql.device_since, device_id=device_id)
        return (False, None) if row is None else (bool(row[0]), row[1])

    async def device_states(self) -> Mapping[str, bool]:
        rows = await self._reader.all(self._sql.device_states)
        return {sip_user: bool(online) for sip_user, online in rows}

    async def trunk_state(
        self, trunk_id: str, up: bool, announcement: Announcement
    ) -> StoredEvent | None:
        """A trunk that is no more changes nothing."""
        which = {"trunk_id": trunk_id, "up": up}
        return await self._state(self._sql.set_trunk_state, announcement, **which)

    async def trunk_states(self) -> Mapping[str, bool]:
        rows = await self._reader.all(self._sql.trunk_states)
        return {trunk_id: bool(up) for trunk_id, up in rows}

    async def _state(
        self, statement: Callable[..., Any], announcement: Announcement, **state: Any
    ) -> StoredEvent | None:
        async def change(connection: Connection) -> StoredEvent | None:
            if not await statement(connection, at=announcement.at, **state):
                return None
            stored = await self._dialect.store_events(connection, [announcement])
            return next(iter(stored), None)

        return await self._writer.run(change)
