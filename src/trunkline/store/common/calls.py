"""The journal and the live calls; how a batch is written, each database has its own way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from trunkline.calls.cel import LogPosition
from trunkline.calls.facts import AnyFact, decode
from trunkline.store.common.dialect import Dialect, Reader, Row
from trunkline.store.ports.database import OpenCall


class SqlCalls:
    """What both have of ``ports.database.Calls``."""

    def __init__(self, reader: Reader, dialect: Dialect) -> None:
        self._reader = reader
        self._sql = dialect.named("calls")

    async def open_calls(self, node_id: str) -> list[OpenCall]:
        rows = await self._reader.all(self._sql.open_calls, node_id=node_id)
        return [
            OpenCall(call_id, account_id, tuple(facts))
            for call_id, account_id, facts in live_calls(rows)
        ]

    async def facts(self, call_id: str) -> list[AnyFact]:
        rows = await self._reader.all(self._sql.facts, call_id=call_id)
        return [decode(fact) for (fact,) in rows]

    async def position(self, node_id: str) -> LogPosition | None:
        row = await self._reader.one(self._sql.position, node_id=node_id)
        return None if row is None else LogPosition(*row)

    async def known(self, call_id: str) -> bool:
        """One that was only asked for is not known yet."""
        return bool(await self._reader.one(self._sql.known, call_id=call_id))


def live_calls(rows: Iterable[Row]) -> Iterator[tuple[str, str, list[AnyFact]]]:
    """(call_id, account_id, its facts) of each call of rows that have one fact, or none, each."""
    for (call_id, account_id), group in groupby(rows, key=lambda row: (row[0], row[1])):
        yield call_id, account_id, [decode(fact) for *_, fact in group if fact]
