"""The recordings' rows. A row comes to be with its call's record (``write_calls``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from trunkline.calls.record import CallRecord
from trunkline.calls.recording_names import id_of
from trunkline.calls.recording_plan import RecordingPlan, WholeFile
from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.common.dialect import Connection, Dialect, Reader, Row, Writer
from trunkline.store.common.marking import row_of, touched
from trunkline.store.ports.database import Recording

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RecordingPlan).decode


class SqlRecordings:
    """See ``ports.database.Recordings``. ``created_at`` is the end of the call."""

    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._dialect = dialect
        self._sql = dialect.named("recordings")

    async def by_name(self, account_id: str, name: str) -> Recording | None:
        row = await self._reader.one(self._sql.by_name, account_id=account_id, name=name)
        return _recording(row)

    async def any_account(self, name: str) -> Recording | None:
        return _recording(await self._reader.one(self._sql.any_account, name=name))

    async def of_raw(self, raw: str) -> list[Recording]:
        return [recording(row) for row in await self._reader.all(self._sql.of_raw, raw=raw)]

    async def claim(self, name: str, worker: str, now: int, until: int) -> Recording | None:
        """Each claim is an attempt."""

        async def take(connection: Connection) -> Recording | None:
            taken = await self._sql.claim(
                connection, name=name, worker=worker, now=now, until=until
            )
            return _recording(await self._sql.any_account(connection, name=name)) if taken else None

        return await self._writer.run(take)

    async def done(
        self, name: str, worker: str, size: int, seconds: float, announcement: Announcement
    ) -> StoredEvent | None:
        return await self._end(
            self._sql.done, announcement, name=name, worker=worker, bytes=size, seconds=seconds
        )

    async def failed(
        self, name: str, worker: str, reason: str, announcement: Announcement
    ) -> StoredEvent | None:
        """None if the claim was lost meanwhile."""
        reason = self._dialect.storable(reason)
        return await self._end(
            self._sql.failed, announcement, name=name, worker=worker, reason=reason
        )

    async def _end(
        self, statement: Any, announcement: Announcement, **parameters: Any
    ) -> StoredEvent | None:
        async def end(connection: Connection) -> StoredEvent | None:
            if not await statement(connection, **parameters):
                return None
            await self._ended(connection, parameters["name"], announcement.at)
            stored = await self._dialect.store_events(connection, [announcement])
            return next(iter(stored), None)

        return await self._writer.run(end)

    async def _ended(self, connection: Connection, name: str, now: int) -> None:
        """A call whose recording failed names none; who follows its changes hears of either end."""
        ended = recording(await self._sql.any_account(connection, name=name))
        await self._dialect.lock_accounts(connection, {ended.account_id})
        row = await row_of(self._dialect, connection, ended.call_id)
        if row is None:
            return
        if ended.state == "failed":
            await self._sql.unnamed(connection, account_id=row.account_id, **row.key._asdict())
        await touched(self._dialect, connection, row, now)

    async def released(self, name: str, worker: str, reason: str) -> None:
        reason = self._dialect.storable(reason)
        await self._writer.run(
            lambda connection: self._sql.released(
                connection, name=name, worker=worker, reason=reason
            )
        )

    async def expected(self, before: int, limit: int) -> list[Recording]:
        rows = await self._reader.all(self._sql.expected, before=before, limit=limit)
        return [recording(row) for row in rows]

    async def waiting(self) -> int:
        return int(await self._reader.one(self._sql.waiting) or 0)


def recording(row: Iterable[Any]) -> Recording:
    """The row's columns in the order of ``Recording``; one without a plan is a whole file."""
    columns = dict(zip(Recording.__struct_fields__, row, strict=True))
    plan = columns["plan"]
    return Recording(**{**columns, "plan": _decode(plan) if plan else WholeFile(columns["id"])})


def _recording(row: Row | None) -> Recording | None:
    return None if row is None else recording(row)


def recording_columns(record: CallRecord, plan: RecordingPlan | None) -> dict[str, str]:
    """What a call's record says of its recording; ``files`` are separated by spaces."""
    id_ = id_of(record.recording)
    return {
        "recording_id": id_,
        "plan": _encode(plan).decode() if plan else "",
        "files": " ".join((plan or WholeFile(id_)).files),
    }
