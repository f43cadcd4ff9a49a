"""Idempotency: what an app's keys have been answered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from trunkline.store.common.dialect import Again, Connection, Dialect, Writer
from trunkline.store.ports.apps import AlreadyAnswered, Claim, Claimed, KeyReused, UnderWay

Alone = Callable[[str], AbstractAsyncContextManager[bool]]
"""Has a name before every other process on the database; gives False if one has it."""


class SqlRequests:
    def __init__(self, writer: Writer, dialect: Dialect, alone: Alone) -> None:
        self._writer = writer
        self._alone = alone
        self._sql = dialect.named("requests")

    async def claim(
        self, app_id: str, key: str, fingerprint: str, call_id: str, now: int, kept_until: int
    ) -> Claim:
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
            if taken:
                return Claimed()
            return await self._standing(connection, app_id, key, fingerprint)

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
        return UnderWay(call_id) if status is None else AlreadyAnswered(status, body)

    async def answer(self, app_id: str, key: str, status: int, body: bytes) -> None:
        """The first answer stays."""
        await self._writer.run(
            lambda connection: self._sql.answer(
                connection, app_id=app_id, key=key, status=status, body=body
            )
        )

    async def release(self, app_id: str, key: str) -> None:
        """An answered one stays."""
        await self._writer.run(
            lambda connection: self._sql.release(connection, app_id=app_id, key=key)
        )

    def alone(self, app_id: str, key: str) -> AbstractAsyncContextManager[bool]:
        return self._alone(f"request {app_id} {key}")
