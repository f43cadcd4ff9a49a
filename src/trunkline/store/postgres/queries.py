"""The SQL written by hand: every statement has its name and its sentence in ``sql/*.sql``."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from functools import cache
from typing import Any

import aiosql
from aiosql.adapters.asyncpg import AsyncPGAdapter

from trunkline.store.common.sql_text import filled, written_in


class _Adapter(AsyncPGAdapter):
    """asyncpg's own coroutines, with nothing round them; a statement that changes gives how many rows."""

    is_aio_driver = False  # aiosql's async functions are generators: one step for each row

    def select(
        self, connection: Any, name: str, sql: str, given: Mapping[str, Any], *_: Any
    ) -> Coroutine[Any, Any, Any]:
        """All rows."""
        return connection.fetch(sql, *self._ordered(name, given))  # type: ignore[no-any-return]

    def select_one(
        self, connection: Any, name: str, sql: str, given: Mapping[str, Any], *_: Any
    ) -> Coroutine[Any, Any, Any]:
        """The first row, or None."""
        return connection.fetchrow(sql, *self._ordered(name, given))  # type: ignore[no-any-return]

    def select_value(
        self, connection: Any, name: str, sql: str, given: Mapping[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """The first row's first column, or None."""
        return connection.fetchval(sql, *self._ordered(name, given))  # type: ignore[no-any-return]

    insert_returning = select_value

    async def insert_update_delete(
        self, connection: Any, name: str, sql: str, given: Mapping[str, Any]
    ) -> int:
        """How many rows were changed."""
        status = await connection.execute(sql, *self._ordered(name, given))
        return int(status.rpartition(" ")[2])

    def _ordered(self, name: str, given: Mapping[str, Any]) -> list[Any]:
        return [given[each] for each in self.var_sorted[name]]


@cache
def named(subject: str) -> Any:
    """The statements of ``sql/<subject>.sql``, each ``await``ed with (connection, **parameters)."""
    text = written_in(subject, "trunkline.store.common", "trunkline.store.postgres")
    return aiosql.from_str(filled(text), _Adapter)  # type: ignore[arg-type]
