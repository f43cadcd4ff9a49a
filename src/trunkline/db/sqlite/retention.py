"""Forgetting what is older than it is kept, in steps so small that no other write waits for them."""

from __future__ import annotations

import sqlite3
from typing import Any

from trunkline.db.sqlite.queries import named
from trunkline.db.sqlite.reader import Reader
from trunkline.db.sqlite.writer import Writer

STEP = 500
DAY = 86_400_000_000


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

    async def _events(self, before: int) -> int:
        """Only ever a log's beginning, so that what is kept has no gap."""
        accounts = [account_id for (account_id,) in self._reader.all(self._sql.event_accounts)]
        return sum(
            [
                await self._in_steps(self._sql.prune_events, account_id=account_id, before=before)
                for account_id in accounts
            ]
        )

    async def _in_steps(self, statement: Any, **parameters: Any) -> int:
        """Repeat the statement until it no longer deletes a full step."""

        def step(connection: sqlite3.Connection) -> int:
            return int(statement(connection, **parameters, step=STEP))

        deleted = 0
        while (n := await self._writer.run(step)) == STEP:
            deleted += n
        return deleted + n

    async def _journal(self, before: int) -> int:
        """From the oldest fact on, until a whole step is too young; live calls keep theirs."""
        deleted = after = 0
        while True:
            last, old = self._reader.one(
                self._sql.journal_step, after=after, before=before, step=STEP
            )
            if not old:
                return deleted
            deleted += await self._forget(after, last, before)
            after = last

    async def _forget(self, after: int, last: int, before: int) -> int:
        def delete(connection: sqlite3.Connection) -> int:
            return int(self._sql.prune_journal(connection, after=after, last=last, before=before))

        return await self._writer.run(delete)
