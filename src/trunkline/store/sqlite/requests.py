"""Idempotency: what an app's keys have been answered."""

from __future__ import annotations

import contextlib
import sqlite3

from trunkline.store.ports.database import Claim, Claimed, KeyReused, Replayed, UnderWay
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.writer import Writer


class SqliteRequests:
    """The keys (see ``db.port.Requests``)."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._sql = named("requests")

    async def claim(
        self, app_id: str, key: str, fingerprint: str, call_id: str, now: int, kept_until: int
    ) -> Claim:
        """Take the key, or say what stands under it. An expired row counts as none."""

        def take(connection: sqlite3.Connection) -> Claim:
            taken = self._sql.take_key(
                connection,
                app_id=app_id,
                key=key,
                fingerprint=fingerprint,
                call_id=call_id,
                now=now,
                kept_until=kept_until,
            )
            return Claimed() if taken else self._standing(connection, app_id, key, fingerprint)

        return await self._writer.run(take)

    def _standing(
        self, connection: sqlite3.Connection, app_id: str, key: str, fingerprint: str
    ) -> Claim:
        used_for, call_id, status, body = self._sql.under_key(connection, app_id=app_id, key=key)
        if used_for != fingerprint:
            return KeyReused()
        return UnderWay(call_id) if status is None else Replayed(status, body)

    async def answer(self, app_id: str, key: str, status: int, body: bytes) -> None:
        """Store the answer of a claimed key; the first answer stays."""
        await self._writer.run(
            lambda connection: self._sql.answer(
                connection, app_id=app_id, key=key, status=status, body=body
            )
        )

    async def release(self, app_id: str, key: str) -> None:
        """Forget a claimed key: nothing came of it. An answered one stays."""
        await self._writer.run(
            lambda connection: self._sql.release(connection, app_id=app_id, key=key)
        )

    def alone(self, app_id: str, key: str) -> contextlib.AbstractAsyncContextManager[bool]:  # noqa: ARG002
        """Always: one process has the file."""
        return contextlib.nullcontext(True)
