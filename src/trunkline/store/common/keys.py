"""The keys of /v1, kept as hashes."""

from __future__ import annotations

from trunkline.store.common.dialect import Dialect, Reader, Row, Writer
from trunkline.store.common.directory import listed
from trunkline.store.ports.apps import ApiKey, KeyRow


class SqlKeys:
    """See ``ports.apps.Keys``. They are read anew each time: a revoked one is out at once."""

    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = dialect.named("keys")

    async def by_hash(self, key_hash: str, now: int) -> ApiKey | None:
        row = await self._reader.one(self._sql.by_hash, key_hash=key_hash, now=now)
        return None if row is None else _api_key(row)

    async def valid(self, key_id: str, now: int) -> bool:
        return bool(await self._reader.one(self._sql.valid, key_id=key_id, now=now))

    async def listed(self, account_id: str, after: tuple[int, str], limit: int) -> list[KeyRow]:
        created_at, id_ = after
        rows = await self._reader.all(
            self._sql.listed, account_id=account_id, created_at=created_at, id=id_, limit=limit
        )
        return [_key_row(row) for row in rows]

    async def used(self, key_id: str, at: int) -> None:
        """An earlier time changes nothing."""
        await self._writer.run(lambda connection: self._sql.used(connection, key_id=key_id, at=at))


def _api_key(row: Row) -> ApiKey:
    id_, account_id, name, scopes, addresses, prefix, expires_at = row
    allowed = listed(addresses)
    return ApiKey(id_, account_id, name, frozenset(listed(scopes)), allowed, prefix, expires_at)


def _key_row(row: Row) -> KeyRow:
    id_, name, prefix, scopes, addresses, created_at, expires_at, last_used_at, enabled = row
    return KeyRow(
        id=id_,
        name=name,
        prefix=prefix,
        scopes=listed(scopes),
        allowed_addresses=listed(addresses),
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        enabled=bool(enabled),
    )
