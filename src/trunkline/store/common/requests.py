"""Idempotency: what an app's keys have been answered."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from trunkline.store.ports.database import Claim, Claimed, KeyReused, Replayed, UnderWay
from trunkline.store.postgres.advisory_lock import OneAtATime
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.errors import Again
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.writer import Writer


class PostgresRequests:
    """The keys (see ``db.port.Requests``)."""

    def __init__(self, writer: Writer, one_at_a_time: OneAtATime) -> None:
        self._writer = writer
        self._one_at_a_time = one_at_a_time
        self._sql = named("requests")

    async def claim(
        self, app_id: str, key: str, fingerprint: str, call_id: str, now: int, kept_until: int
    ) -> Claim:
        """Take the key, or say what stands under it. An expired row counts as none."""

        async def take(connection: Connection) -> Claim:
            taken = await self._sql.take_key(
                connection,
                app_id=app_id,
                key=key,
                fingerprint=fingerprint,
                call_id=call_id,
                now=now,
                kept_until=kept_until,
            )
            return (
                Claimed() if taken else await self._standing(connection, app_id, key, fingerprint)
            )

        return await self._writer.run(take)

    async def _standing(
        self, connection: Connection, app_id: str, key: str, fingerprint: str
    ) -> Claim:
        row = await self._sql.under_key(connection, app_id=app_id, key=key)
        if row is None:
            raise Again("the key was given back in this moment")
        used_for, call_id, status, body = row
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

    def alone(self, app_id: str, key: str) -> AbstractAsyncContextManager[bool]:
        """Have the key before every other process on the database; gives False if one has it."""
        return self._one_at_a_time.alone(f"request {app_id} {key}")
