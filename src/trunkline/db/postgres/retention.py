"""Forgetting what is older than it is kept, in steps so small that no other write waits for them."""

from __future__ import annotations

from typing import Any

from trunkline.db.postgres.connect import Connection
from trunkline.db.postgres.queries import named
from trunkline.db.postgres.reader import Reader
from trunkline.db.postgres.writer import Writer

STEP = 500
DAY = 86_400_000_000
MARK_DAYS = 7


class Retention:
    """Deletes old events and what webhooks had of them, the facts of calls long over, and keys and
    tokens that have run out."""

    def __init__(self, reader: Reader, writer: Writer, event_days: int, journal_days: int) -> None:
        self._reader = reader
        self._writer = writer
        self._event_days = event_days
        self._journal_days = journal_days
        self._sql = named("retention")

    async def prune(self, now: int) -> int:
        """Delete what is too old at ``now``; gives how many rows that were."""
        oldest_event = now - self._event_days * DAY
        deleted = await self._events(oldest_event)
        deleted += await self._in_steps(self._sql.prune_deliveries, before=oldest_event)
        deleted += await self._journal(now - self._journal_days * DAY)
        for statement in (self._sql.prune_requests, self._sql.prune_tokens):
            deleted += await self._in_steps(statement, now=now)
        return deleted

    async def prune_marks(self, now: int) -> None:
        """Forget connections that have long ended; ``now`` is the clock's."""
        before = now - MARK_DAYS * DAY
        await self._writer.run(lambda connection: named("marks").prune(connection, before=before))

    async def _events(self, before: int) -> int:
        """Only ever a log's beginning, so that what is kept has no gap."""
        accounts = await self._reader.all(self._sql.event_accounts)
        deleted = 0
        for (account_id,) in accounts:
            deleted += await self._in_steps(
                self._sql.prune_events, account_id=account_id, before=before
            )
        return deleted

    async def _in_steps(self, statement: Any, **parameters: Any) -> int:
        """Repeat the statement until it no longer deletes a full step."""

        async def step(connection: Connection) -> int:
            return int(await statement(connection, **parameters, step=STEP))

        deleted = 0
        while (n := await self._writer.run(step)) == STEP:
            deleted += n
        return deleted + n

    async def _journal(self, before: int) -> int:
        """From the oldest fact on, until a whole step is too young; live calls keep theirs."""
        deleted = after = 0
        while True:
            row = await self._reader.one(
                self._sql.journal_step, after=after, before=before, step=STEP
            )
            if row is None or not row["old"]:
                return deleted
            deleted += await self._forget(after, row["last"], before)
            after = row["last"]

    async def _forget(self, after: int, last: int, before: int) -> int:
        async def delete(connection: Connection) -> int:
            return int(
                await self._sql.prune_journal(connection, after=after, last=last, before=before)
            )

        return await self._writer.run(delete)
