"""The keys of /v1, kept as hashes."""

from __future__ import annotations

from trunkline.db.port import ApiKey, KeyRow
from trunkline.db.sqlite.queries import named
from trunkline.db.sqlite.reader import Reader, Row
from trunkline.db.sqlite.writer import Writer


class SqliteKeys:
    """The keys (see ``db.port.Keys``). They are read anew each time: a revoked one is out at once."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = named("keys")

    def by_hash(self, key_hash: str, now: int) -> ApiKey | None:
        """The enabled, unexpired key of an enabled account."""
        row = self._reader.one(self._sql.by_hash, key_hash=key_hash, now=now)
        if row is None:
            return None
        id_, account_id, name, scopes, addresses, prefix, expires_at = row
        allowed = _listed(addresses)
        return ApiKey(
            id_, account_id, name, frozenset(_listed(scopes)), allowed, prefix, expires_at
        )

    def valid(self, key_id: str, now: int) -> bool:
        """Is the key still enabled and unexpired, and its account enabled?"""
        return bool(self._reader.one(self._sql.valid, key_id=key_id, now=now))

    def listed(self, account_id: str, after: tuple[int, str], limit: int) -> list[KeyRow]:
        """At most ``limit`` keys, oldest first, that follow (created_at, id); (0, "") starts."""
        created_at, id_ = after
        rows = self._reader.all(
            self._sql.listed, account_id=account_id, created_at=created_at, id=id_, limit=limit
        )
        return [_row(row) for row in rows]

    async def used(self, key_id: str, at: int) -> None:
        """Note when a key was last used; an earlier time changes nothing."""
        await self._writer.run(lambda connection: self._sql.used(connection, key_id=key_id, at=at))


def _row(row: Row) -> KeyRow:
    id_, name, prefix, scopes, addresses, created_at, expires_at, last_used_at, enabled = row
    return KeyRow(
        id=id_,
        name=name,
        prefix=prefix,
        scopes=_listed(scopes),
        allowed_addresses=_listed(addresses),
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        enabled=bool(enabled),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)
