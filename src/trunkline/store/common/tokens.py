"""Event-socket tokens, kept as hashes."""

from __future__ import annotations

from trunkline.store.common.dialect import Dialect, Reader, Writer
from trunkline.store.ports.apps import TokenOwner


class SqlTokens:
    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = dialect.named("tokens")

    async def add(self, token_hash: str, app_id: str, account_id: str, expires: int) -> None:
        token = {"token_hash": token_hash, "app_id": app_id, "account_id": account_id}
        await self._writer.run(
            lambda connection: self._sql.add(connection, expires=expires, **token)
        )

    async def owner(self, token_hash: str, now: int) -> TokenOwner | None:
        row = await self._reader.one(self._sql.owner, token_hash=token_hash, now=now)
        return None if row is None else TokenOwner(*row)
