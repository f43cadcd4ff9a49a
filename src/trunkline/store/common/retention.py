"""Deleting what is older than it is kept (see ``db.retention_port.Retention``)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from trunkline.store.ports.retention import KeepDays, Kind, Place, Removal, Slice
from trunkline.store.postgres import deleting
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.partitions import Partitions
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.text import searched
from trunkline.store.postgres.writer import Writer

DAY = 86_400_000_000
MARK_DAYS = 7


class PostgresRetention:
    """See ``db.retention_port.Retention``."""

    def __init__(self, reader: Reader, writer: Writer, partitions: Partitions) -> None:
        self._reader = reader
        self._writer = writer
        self._partitions = partitions
        self._sql = named("retention")

    async def limits(self) -> list[KeepDays]:
        """Every account's, by name."""
        return [KeepDays(*row) for row in await self._reader.all(self._sql.limits)]

    async def due(self, account_id: str, kind: Kind, before: int) -> int:
        """How many rows of a kind would go."""
        return await self._reader.snapshot(
            lambda connection: _due(connection, account_id, kind, before)
        )

    async def delete(
        self, account_id: str, kind: Kind, before: int, after: Place | None, limit: int, now: int
    ) -> Slice:
        """Delete the account's rows of a kind from before a time, looking at ``limit`` at most."""

        async def step(connection: Connection) -> Slice:
            match kind:
                case "calls":
                    return await deleting.delete_old_calls(
                        connection, account_id, before, after, limit
                    )
                case "recordings":
                    return await deleting.delete_old_recordings(
                        connection, account_id, before, after, limit, now
                    )
                case "events":
                    return await _delete_events(connection, account_id, before, limit)
                case "deliveries":
                    return await _delete_deliveries(connection, account_id, before, after, limit)

        return await self._writer.run(step)

    async def facts_due(self, before: int, after: int, limit: int) -> tuple[int, int, int | None]:
        """Of the facts that follow ``after``: how many are old, how many would go, the last one."""

        async def read(connection: Connection) -> tuple[int, int, int | None]:
            rows = await self._sql.facts_after(connection, after=after, before=before, step=limit)
            old = [call_id for _, call_id, is_old in rows if is_old]
            kept = await _kept(connection, old)
            going = sum(call_id not in kept for call_id in old)
            return len(old), going, rows[-1][0] if rows else None

        return await self._reader.snapshot(read)

    async def delete_facts(self, before: int, after: int, upto: int) -> int:
        """Delete the facts in (after, upto] from before that time; those of live calls stay."""

        async def delete(connection: Connection) -> int:
            which = {"after": after, "upto": upto, "before": before}
            rows = await self._sql.calls_of_facts(connection, **which)
            calls = [call_id for (call_id,) in rows]
            await self._sql.lock_owners(connection, call_ids=calls)
            kept = await _kept(connection, calls)
            return int(await self._sql.drop_facts(connection, **which, kept=sorted(kept)))

        return await self._writer.run(delete)

    async def delete_spent(self, now: int, limit: int) -> int:
        """Delete at most ``limit`` idempotency keys and as many tokens that have run out."""

        async def delete(connection: Connection) -> int:
            requests = int(await self._sql.prune_requests(connection, now=now, step=limit))
            return requests + int(await self._sql.prune_tokens(connection, now=now, step=limit))

        return await self._writer.run(delete)

    async def removals(self, now: int, after: str, limit: int) -> list[Removal]:
        """Files that may be removed at ``now``, in the order of their names."""
        rows = await self._reader.all(self._sql.removals, now=now, after=after, step=limit)
        return [Removal(name, tuple(raws.split())) for name, raws in rows]

    async def removed(self, names: Sequence[str]) -> None:
        """The files of these are gone."""
        await self._writer.run(lambda connection: self._sql.removed(connection, names=list(names)))

    async def tidy(self, now: int) -> int:
        """Make the months to come, forget connections that have long ended, drop months that are
        empty; gives how many months that were."""
        clock = time.time_ns() // 1000
        await self._partitions.ensure_ahead(clock)
        before = clock - MARK_DAYS * DAY
        await self._writer.run(lambda connection: named("marks").prune(connection, before=before))
        return await self._partitions.drop_empty(min(now, clock))

    async def account_of(self, call_id: str) -> str | None:
        """Whose a finished call is."""
        owner: str | None = await self._reader.one(self._sql.account_of, call_id=searched(call_id))
        return owner


async def _due(connection: Connection, account_id: str, kind: Kind, before: int) -> int:
    sql = named("retention")
    if not await sql.may_delete(connection, account_id=account_id):
        return 0
    asked = {"account_id": account_id, "before": before}
    if kind == "calls":
        low = await deleting.counted_from(connection, account_id)
        return int(await sql.calls_due(connection, **asked, low=low))
    return int(await getattr(sql, f"{kind}_due")(connection, **asked))


async def _delete_events(connection: Connection, account_id: str, before: int, limit: int) -> Slice:
    """Only ever the log's beginning: a number that is replayed has none missing after it."""
    sql = named("retention")
    if await deleting.lock(connection, account_id) is None:
        return deleting.NOTHING
    first = await sql.log_begins(connection, account_id=account_id)
    rows = await sql.first_events(connection, account_id=account_id, seq=first, step=limit)
    young = next((seq for seq, at in rows if at >= before), None)
    if not rows or young == rows[0][0]:
        return deleting.NOTHING
    upto = rows[-1][0] + 1 if young is None else young
    await sql.begin_log(connection, account_id=account_id, seq=upto)
    deleted = int(await sql.drop_events(connection, account_id=account_id, first=first, upto=upto))
    return Slice(deleted, (upto, "") if young is None and len(rows) == limit else None)


async def _delete_deliveries(
    connection: Connection, account_id: str, before: int, after: Place | None, limit: int
) -> Slice:
    sql, (at, id_) = named("retention"), after or (0, 0)
    if await deleting.lock(connection, account_id) is None:
        return deleting.NOTHING
    rows = await sql.old_deliveries(
        connection, account_id=account_id, before=before, at=at, id=id_, step=limit
    )
    going = [id_ for id_, _, held in rows if not held]
    await sql.drop_deliveries(connection, ids=going)
    return Slice(len(going), (rows[-1][1], rows[-1][0]) if len(rows) == limit else None)


async def _kept(connection: Connection, call_ids: Sequence[str]) -> set[str]:
    """Those of the calls whose facts stay, however old they are."""
    sql, calls = named("retention"), sorted(set(call_ids))
    kept = {call_id for (call_id,) in await sql.kept_calls(connection, call_ids=calls)}
    if await sql.any_account_held(connection):
        held = await sql.of_held_accounts(connection, call_ids=calls)
        kept |= {call_id for (call_id,) in held}
    return kept
