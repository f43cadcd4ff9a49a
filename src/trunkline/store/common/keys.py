"""The keys of /v1, kept as hashes."""

from __future__ import annotations

from trunkline.store.common.directory_rows import api_key, key_row
from trunkline.store.ports.database import ApiKey, KeyRow
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.writer import Writer


class PostgresKeys:
    """The keys (see ``db.port.Keys``). They are read anew each time: a revoked one is out at once."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = named("keys")

    async def by_hash(self, key_hash: str, now: int) -> ApiKey | None:
        """The enabled, unexpired key of an enabled account."""
        row = await self._reader.one(self._sql.by_hash, key_hash=key_hash, now=now)
        return None if row is None else api_key(row)

    async def valid(self, key_id: str, now: int) -> bool:
        """Is the key still enabled and unexpired, and its account enabled?"""
        return bool(await self._reader.one(self._sql.valid, key_id=key_id, now=now))

    async def listed(self, account_id: str, after: tuple[int, str], limit: int) -> list[KeyRow]:
        """At most ``limit`` keys, oldest first, that follow (created_at, id); (0, "") starts."""
        created_at, id_ = after
        rows = await self._reader.all(
            self._sql.listed, account_id=account_id, created_at=created_at, id=id_, limit=limit
        )
        return [key_row(row) for row in rows]

    async def used(self, key_id: str, at: int) -> None:
        """Note when a key was last used; an earlier time changes nothing."""
        await self._writer.run(lambda connection: self._sql.used(connection, key_id=key_id, at=at))
