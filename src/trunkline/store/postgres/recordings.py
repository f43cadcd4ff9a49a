"""The recordings' rows. A row comes to be with its call's record (``history.py``)."""

from __future__ import annotations

from typing import Any

from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.common.recording_rows import recording
from trunkline.store.ports.database import Recording
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import lock_accounts, store_events
from trunkline.store.postgres.marking import row_of, touched
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader, Row
from trunkline.store.postgres.text import storable
from trunkline.store.postgres.writer import Writer


def _recording(row: Row | None) -> Recording | None:
    return None if row is None else recording(row)


class PostgresRecordings:
    """The recordings (see ``db.port.Recordings``). ``created_at`` is the end of the call."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = named("recordings")

    async def by_name(self, account_id: str, name: str) -> Recording | None:
        """The account's recording of that public name."""
        return _recording(
            await self._reader.one(self._sql.by_name, account_id=account_id, name=name)
        )

    async def any_account(self, name: str) -> Recording | None:
        """The recording of that public name, for a URL whose signature has been checked."""
        return _recording(await self._reader.one(self._sql.any_account, name=name))

    async def of_raw(self, raw: str) -> list[Recording]:
        """The recordings that a raw file is needed for, or was: of two calls, where its leg moved."""
        return [recording(row) for row in await self._reader.all(self._sql.of_raw, raw=raw)]

    async def claim(self, name: str, worker: str, now: int, until: int) -> Recording | None:
        """Take an expected recording, if no other worker holds it; each claim is an attempt."""

        async def take(connection: Connection) -> Recording | None:
            taken = await self._sql.claim(
                connection, name=name, worker=worker, now=now, until=until
            )
            return _recording(await self._sql.any_account(connection, name=name)) if taken else None

        return await self._writer.run(take)

    async def done(
        self, name: str, worker: str, size: int, seconds: float, announcement: Announcement
    ) -> StoredEvent | None:
        """Mark it done with its event; None if the claim was lost meanwhile."""
        return await self._end(
            self._sql.done, announcement, name=name, worker=worker, bytes=size, seconds=seconds
        )

    async def failed(
        self, name: str, worker: str, reason: str, announcement: Announcement
    ) -> StoredEvent | None:
        """Mark it failed for good, with its event; None if the claim was lost meanwhile."""

        return await self._end(
            self._sql.failed, announcement, name=name, worker=worker, reason=storable(reason)
        )

    async def _end(
        self, statement: Any, announcement: Announcement, **parameters: Any
    ) -> StoredEvent | None:
        async def end(connection: Connection) -> StoredEvent | None:
            if not await statement(connection, **parameters):
                return None
            await self._ended(connection, parameters["name"], announcement.at)
            return next(iter(await store_events(connection, [announcement])), None)

        return await self._writer.run(end)

    async def _ended(self, connection: Connection, name: str, now: int) -> None:
        """A call whose recording failed names none; who follows its changes hears of either end."""
        ended = recording(await self._sql.any_account(connection, name=name))
        await lock_accounts(connection, {ended.account_id})
        if ended.state == "failed":
            await self._sql.unnamed(connection, name=name)
        row = await row_of(connection, ended.call_id)
        if row is not None:
            await touched(connection, row, now)

    async def released(self, name: str, worker: str, reason: str) -> None:
        """Give a claim back; it will be tried again."""
        await self._writer.run(
            lambda connection: self._sql.released(
                connection, name=name, worker=worker, reason=storable(reason)
            )
        )

    async def expected(self, before: int, limit: int) -> list[Recording]:
        """Recordings not yet made whose call ended before ``before``, oldest first."""
        rows = await self._reader.all(self._sql.expected, before=before, limit=limit)
        return [recording(row) for row in rows]

    async def waiting(self) -> int:
        """How many recordings are not yet made."""
        return int(await self._reader.one(self._sql.waiting) or 0)
