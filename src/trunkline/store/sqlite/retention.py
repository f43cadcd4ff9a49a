"""Deleting what is older than it is kept (see ``db.retention_port.Retention``)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from trunkline.store.ports.retention import KeepDays, Kind, Place, Removal, Slice
from trunkline.store.sqlite import deleting
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.writer import Writer

T = TypeVar("T")
_NOTHING = Slice(0, None)


class SqliteRetention:
    """See ``db.retention_port.Retention``."""

    def __init__(self, reader: Reader, writer: Writer, pages: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._writer = writer
        self._pages = pages
        self._sql = named("retention")

    async def limits(self) -> list[KeepDays]:
        """Every account's, by name."""
        rows = self._reader.all(self._sql.limits)
        return [KeepDays(id_, name, bool(held), *days) for id_, name, held, *days in rows]

    async def due(self, account_id: str, kind: Kind, before: int) -> int:
        """How many rows of a kind would go."""
        return await self._read(lambda connection: _due(connection, account_id, kind, before))

    async def delete(
        self, account_id: str, kind: Kind, before: int, after: Place | None, limit: int, now: int
    ) -> Slice:
        """Delete the account's rows of a kind from before a time, looking at ``limit`` at most."""

        def step(connection: sqlite3.Connection) -> Slice:
            if not self._sql.may_delete(connection, account_id=account_id):
                return _NOTHING
            match kind:
                case "calls":
                    return deleting.delete_old_calls(connection, account_id, before, after, limit)
                case "recordings":
                    return deleting.delete_old_recordings(
                        connection, account_id, before, after, limit, now
                    )
                case "events":
                    return _delete_events(connection, account_id, before, limit)
                case "deliveries":
                    return _delete_deliveries(connection, account_id, before, after, limit)

        return await self._writer.run(step)

    async def facts_due(self, before: int, after: int, limit: int) -> tuple[int, int, int | None]:
        """Of the facts that follow ``after``: how many are old, how many would go, the last one."""

        def read(connection: sqlite3.Connection) -> tuple[int, int, int | None]:
            rows = list(self._sql.facts_after(connection, after=after, before=before, step=limit))
            old = [call_id for _, call_id, is_old in rows if is_old]
            kept = _kept(connection, old)
            going = sum(call_id not in kept for call_id in old)
            return len(old), going, rows[-1][0] if rows else None

        return await self._read(read)

    async def delete_facts(self, before: int, after: int, upto: int) -> int:
        """Delete the facts in (after, upto] from before that time; those of live calls stay."""

        def delete(connection: sqlite3.Connection) -> int:
            which = {"after": after, "upto": upto, "before": before}
            calls = [call_id for (call_id,) in self._sql.calls_of_facts(connection, **which)]
            kept = _json(sorted(_kept(connection, calls)))
            return int(self._sql.drop_facts(connection, **which, kept=kept))

        return await self._writer.run(delete)

    async def delete_spent(self, now: int, limit: int) -> int:
        """Delete at most ``limit`` idempotency keys and as many tokens that have run out."""

        def delete(connection: sqlite3.Connection) -> int:
            requests = int(self._sql.prune_requests(connection, now=now, step=limit))
            return requests + int(self._sql.prune_tokens(connection, now=now, step=limit))

        return await self._writer.run(delete)

    async def removals(self, now: int, after: str, limit: int) -> list[Removal]:
        """Files that may be removed at ``now``, in the order of their names."""
        rows = self._reader.all(self._sql.removals, now=now, after=after, step=limit)
        return [Removal(name, tuple(raws.split())) for name, raws in rows]

    async def removed(self, names: Sequence[str]) -> None:
        """The files of these are gone."""
        rows = [{"name": name} for name in names]
        await self._writer.run(lambda connection: self._sql.removed(connection, rows))

    async def tidy(self, now: int) -> int:  # noqa: ARG002
        """Nothing: a SQLite file uses the room of what was deleted again."""
        return 0

    async def account_of(self, call_id: str) -> str | None:
        """Whose a finished call is."""
        owner: str | None = self._reader.one(self._sql.account_of, call_id=call_id)
        return owner

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pages, lambda: self._reader.snapshot(work))


def _due(connection: sqlite3.Connection, account_id: str, kind: Kind, before: int) -> int:
    sql = named("retention")
    if not sql.may_delete(connection, account_id=account_id):
        return 0
    asked = {"account_id": account_id, "before": before}
    if kind == "calls":
        low = deleting.counted_from(connection, account_id)
        return int(sql.calls_due(connection, **asked, low=low))
    return int(getattr(sql, f"{kind}_due")(connection, **asked))


def _delete_events(
    connection: sqlite3.Connection, account_id: str, before: int, limit: int
) -> Slice:
    """Only ever the log's beginning: a number that is replayed has none missing after it."""
    sql = named("retention")
    first = sql.log_begins(connection, account_id=account_id)
    rows = list(sql.first_events(connection, account_id=account_id, seq=first, step=limit))
    young = next((seq for seq, at in rows if at >= before), None)
    if not rows or young == rows[0][0]:
        return _NOTHING
    upto = rows[-1][0] + 1 if young is None else young
    sql.begin_log(connection, account_id=account_id, seq=upto)
    deleted = int(sql.drop_events(connection, account_id=account_id, first=first, upto=upto))
    return Slice(deleted, (upto, "") if young is None and len(rows) == limit else None)


def _delete_deliveries(
    connection: sqlite3.Connection, account_id: str, before: int, after: Place | None, limit: int
) -> Slice:
    sql, (at, id_) = named("retention"), after or (0, 0)
    rows = list(
        sql.old_deliveries(
            connection, account_id=account_id, before=before, at=at, id=id_, step=limit
        )
    )
    going = [{"id": id_} for id_, _, held in rows if not held]
    sql.drop_delivery(connection, going)
    return Slice(len(going), (rows[-1][1], rows[-1][0]) if len(rows) == limit else None)


def _kept(connection: sqlite3.Connection, call_ids: Sequence[str]) -> set[str]:
    """Those of the calls whose facts stay, however old they are."""
    sql, calls = named("retention"), _json(sorted(set(call_ids)))
    kept = {call_id for (call_id,) in sql.kept_calls(connection, calls=calls)}
    if sql.any_account_held(connection):
        kept |= {call_id for (call_id,) in sql.of_held_accounts(connection, calls=calls)}
    return kept


def _json(values: Sequence[str]) -> str:
    return msgspec.json.encode(values).decode()
