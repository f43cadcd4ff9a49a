"""What calls came to; how it is added up, each database has its own way."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.history.sums import GroupBy, Summed
from trunkline.store.common.dialect import Dialect, Reader, Writer


class SqlStatistics:
    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._dialect = dialect

    async def summed(
        self, account_id: str, group: GroupBy, cuts: Sequence[int], most: int
    ) -> Summed:
        return await self._reader.snapshot(
            lambda connection: self._dialect.summed(connection, account_id, group, cuts, most)
        )

    async def count_older(self, calls: int) -> bool:
        return await self._writer.run(
            lambda connection: self._dialect.count_older(connection, calls)
        )
