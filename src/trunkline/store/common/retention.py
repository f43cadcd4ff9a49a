"""Deleting what is older than it is kept.

A recording's row is locked before its account, as by the worker that makes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.store.common.call_rows import call_row
from trunkline.store.common.dialect import Connection, Dialect, Reader, Row, Writer
from trunkline.store.common.marking import row_of, touched, unfindable
from trunkline.store.ports.history import FIRST, CallRow
from trunkline.store.ports.retention import KeepDays, Kind, Removal, RetentionCursor, Slice

NOTHING = Slice(0, None)


class SqlRetention:
    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._dialect = dialect
        self._sql = dialect.named("retention")

    async def limits(self) -> list[KeepDays]:
        rows = await self._reader.all(self._sql.limits)
        return [KeepDays(id_, name, bool(held), *days) for id_, name, held, *days in rows]

    async def due(self, account_id: str, kind: Kind, before: int) -> int:
        return await self._reader.snapshot(
            lambda connection: self._due(connection, account_id, kind, before)
        )

    async def delete(
        self,
        account_id: str,
        kind: Kind,
        before: int,
        after: RetentionCursor | None,
        limit: int,
        now: int,
    ) -> Slice:
        async def step(connection: Connection) -> Slice:
            match kind:
                case "calls":
                    return await self._delete_calls(connection, account_id, before, after, limit)
                case "recordings":
                    return await self._delete_recordings(
                        connection, account_id, before, after, limit, now
                    )
                case "events":
                    return await self._delete_events(connection, account_id, before, limit)
                case "deliveries":
                    return await self._delete_deliveries(
                        connection, account_id, before, after, limit
                    )

        return await self._writer.run(step)

    async def facts_due(self, before: int, after: int, limit: int) -> tuple[int, int, int | None]:
        async def read(connection: Connection) -> tuple[int, int, int | None]:
            rows = await self._sql.facts_after(connection, after=after, before=before, step=limit)
            old = [call_id for _, call_id, is_old in rows if is_old]
            kept = await self._kept(connection, old)
            going = sum(call_id not in kept for call_id in old)
            return len(old), going, rows[-1][0] if rows else None

        return await self._reader.snapshot(read)

    async def delete_facts(self, before: int, after: int, upto: int) -> int:
        async def delete(connection: Connection) -> int:
            which = {"after": after, "upto": upto, "before": before}
            rows = await self._sql.calls_of_facts(connection, **which)
            calls = [call_id for (call_id,) in rows]
            await self._dialect.lock_owners(connection, calls)
            kept = await self._kept(connection, calls)
            return int(await self._sql.drop_facts(connection, **which, kept=sorted(kept)))

        return await self._writer.run(delete)

    async def delete_spent(self, now: int, limit: int) -> int:
        async def delete(connection: Connection) -> int:
            requests = int(await self._sql.prune_requests(connection, now=now, step=limit))
            return requests + int(await self._sql.prune_tokens(connection, now=now, step=limit))

        return await self._writer.run(delete)

    async def removals(self, now: int, after: str, limit: int) -> list[Removal]:
        rows = await self._reader.all(self._sql.removals, now=now, after=after, step=limit)
        return [Removal(name, tuple(raws.split())) for name, raws in rows]

    async def removed(self, names: Sequence[str]) -> None:
        await self._writer.run(lambda connection: self._sql.removed(connection, names=list(names)))

    async def tidy(self, now: int) -> int:  # noqa: ARG002
        """Nothing: a SQLite file uses the room of what was deleted again."""
        return 0

    async def account_of(self, call_id: str) -> str | None:
        owner: str | None = await self._reader.one(self._sql.account_of, call_id=call_id)
        return owner

    async def _due(self, connection: Connection, account_id: str, kind: Kind, before: int) -> int:
        if not await self._sql.may_delete(connection, account_id=account_id):
            return 0
        asked = {"account_id": account_id, "before": before}
        if kind == "calls":
            low = await self._counted_from(connection, account_id)
            return int(await self._sql.calls_due(connection, **asked, low=low))
        return int(await getattr(self._sql, f"{kind}_due")(connection, **asked))

    async def _delete_calls(
        self,
        connection: Connection,
        account_id: str,
        before: int,
        after: RetentionCursor | None,
        limit: int,
    ) -> Slice:
        """Look at the next calls, and delete those that are not on hold."""
        at, id_ = after or (FIRST, "")
        low = max(int(at), await self._counted_from(connection, account_id))
        asked = {"account_id": account_id, "before": before, "low": low, "step": limit}
        asked |= {"at": at, "id": id_}
        known = await self._dialect.lock_recordings(connection, asked)
        if known == [] or (number := await self._lock(connection, account_id)) is None:
            return NOTHING
        rows = [call_row(row) for row in await self._sql.old_calls(connection, **asked)]
        going = [row for row in rows if not row.hold and (known is None or row.call_id in known)]
        if going:
            await self._dialect.delete_calls(connection, account_id, number, going)
            await self._drop_terms(connection, account_id, number, going)
        return Slice(len(going), rows[-1].key if len(rows) == limit else None)

    async def _drop_terms(
        self, connection: Connection, account_id: str, number: int, rows: Sequence[CallRow]
    ) -> None:
        """At once where nothing else started then, which is nearly always so."""
        gone: dict[int, set[str]] = {}
        for row in rows:
            gone.setdefault(row.started_at, set()).update(row.terms())
        left = await self._sql.starts_left(
            connection, account_id=account_id, started_ats=list(gone)
        )
        shared = {at: gone.pop(at) for (at,) in left}
        await unfindable(self._dialect, connection, account_id, shared)
        if pairs := sorted((term, at) for at, terms in gone.items() for term in terms):
            await self._dialect.drop_terms(connection, number, pairs)

    async def _delete_recordings(
        self,
        connection: Connection,
        account_id: str,
        before: int,
        after: RetentionCursor | None,
        limit: int,
        now: int,
    ) -> Slice:
        """Look at the next recordings; those not on hold are to be removed, and their calls name none."""
        at, name = after or (FIRST, "")
        found = await self._sql.old_recordings(
            connection, account_id=account_id, before=before, at=at, name=name, step=limit
        )
        if not found or await self._lock(connection, account_id) is None:
            return NOTHING
        calls = [call_id for _, call_id, _ in found]
        rows = await self._sql.held_calls(connection, call_ids=calls)
        held = {call_id for (call_id,) in rows}
        going = [row for row in found if row[1] not in held]
        names = [name for name, *_ in going]
        await self._sql.remove_recordings(connection, names=names)
        for row in going:
            await self._unname(connection, row, now)
        await self._sql.drop_recordings(connection, names=names)
        last = (found[-1][2], found[-1][0]) if len(found) == limit else None
        return Slice(len(going), last)

    async def _unname(self, connection: Connection, recording: Row, now: int) -> None:
        name, call_id, _ = recording
        row = await row_of(self._dialect, connection, call_id)
        if row is not None and row.recording == name:
            unnamed = self._dialect.named("recordings").unnamed
            await unnamed(connection, account_id=row.account_id, **row.key._asdict())
            await touched(self._dialect, connection, row, now)

    async def _delete_events(
        self, connection: Connection, account_id: str, before: int, limit: int
    ) -> Slice:
        """Only ever the log's beginning: a number that is replayed has none missing after it."""
        sql, whose = self._sql, {"account_id": account_id}
        if await self._lock(connection, account_id) is None:
            return NOTHING
        first = await sql.log_begins(connection, **whose)
        rows = await sql.first_events(connection, **whose, seq=first, step=limit)
        young = next((seq for seq, at in rows if at >= before), None)
        if not rows or young == rows[0][0]:
            return NOTHING
        upto = rows[-1][0] + 1 if young is None else young
        await sql.begin_log(connection, **whose, seq=upto)
        deleted = int(await sql.drop_events(connection, **whose, first=first, upto=upto))
        return Slice(deleted, (upto, "") if young is None and len(rows) == limit else None)

    async def _delete_deliveries(
        self,
        connection: Connection,
        account_id: str,
        before: int,
        after: RetentionCursor | None,
        limit: int,
    ) -> Slice:
        at, id_ = after or (0, 0)
        if await self._lock(connection, account_id) is None:
            return NOTHING
        rows = await self._sql.old_deliveries(
            connection, account_id=account_id, before=before, at=at, id=id_, step=limit
        )
        going = [id_ for id_, _, held in rows if not held]
        await self._sql.drop_deliveries(connection, ids=going)
        return Slice(len(going), (rows[-1][1], rows[-1][0]) if len(rows) == limit else None)

    async def _lock(self, connection: Connection, account_id: str) -> int | None:
        """Lock the account: who holds it, or a call of it, waits. Gives its short number; None where
        nothing of it may be deleted."""
        number: int | None = await self._sql.lock_account(connection, account_id=account_id)
        return number

    async def _counted_from(self, connection: Connection, account_id: str) -> int:
        """Calls from before this are in no statistics yet, and have to be first."""
        found = self._dialect.named("statistics").counted_from
        mark: int | None = await found(connection, account_id=account_id)
        return FIRST if mark is None else mark

    async def _kept(self, connection: Connection, call_ids: Sequence[str]) -> set[str]:
        """Those of the calls whose facts stay, however old they are."""
        calls = sorted(set(call_ids))
        kept = await self._sql.kept_calls(connection, call_ids=calls)
        if await self._sql.any_account_held(connection):
            kept = [*kept, *await self._sql.of_held_accounts(connection, call_ids=calls)]
        return {call_id for (call_id,) in kept}
