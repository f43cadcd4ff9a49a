"""Event-socket tokens, kept as hashes."""

from __future__ import annotations

from trunkline.store.ports.database import TokenOwner
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.writer import Writer


class PostgresTokens:
    """The tokens (see ``db.port.Tokens``)."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = named("tokens")

    async def add(self, token_hash: str, app_id: str, account_id: str, expires: int) -> None:
        """Store a token's hash; ``expires`` is a unix time in microseconds."""
        await self._writer.run(
            lambda connection: self._sql.add(
                connection,
                token_hash=token_hash,
                app_id=app_id,
                account_id=account_id,
                expires=expires,
            )
        )

    async def owner(self, token_hash: str, now: int) -> TokenOwner | None:
        """Whose a token is that is valid at ``now`` and whose app is still enabled."""
        row = await self._reader.one(self._sql.owner, token_hash=token_hash, now=now)
        return None if row is None else TokenOwner(*row)
