"""The SQL written by hand: every statement has its name and its sentence in ``sql/*.sql``."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from functools import cache
from typing import Any

import aiosql
from aiosql.adapters.asyncpg import AsyncPGAdapter

from trunkline.store.common.sql_text import statements

SLOTS = {
    "{call_ids}": "call_ids",  # calls is kept by months, and knows an id only beside its time
    "{calls c}": """call_ids i
     JOIN calls c ON c.account_id = i.account_id AND c.started_at = i.started_at AND c.id = i.id""",
    # PostgreSQL does not see from the order of two columns which months it can leave out.
    "{from the month of last_at}": "AND started_at >= :last_at",
    "{to the month of at}": "AND started_at <= :at",
    "{devices of u}": """(SELECT string_agg(d.sip_user, '&' ORDER BY d.created_at, d.id)
        FROM devices d WHERE d.user_id = u.id AND d.enabled)""",
    "{raws of r}": """coalesce((
    SELECT string_agg(f.raw, ' ' ORDER BY f.raw) FROM recording_files f WHERE f.recording_id = r.id AND NOT EXISTS (
        SELECT 1 FROM recording_files o JOIN recordings e ON e.id = o.recording_id
        WHERE o.raw = f.raw AND e.id <> r.id AND e.state = 'pending')), '')""",
    "{account of j}": "convert_from(j.fact, 'UTF8')::json ->> 'account_id'",
}


class _Adapter(AsyncPGAdapter):
    """asyncpg's own coroutines, with nothing round them; a statement that changes gives how many rows."""

    is_aio_driver = False  # aiosql's async functions are generators: one step for each row

    def select(
        self, connection: Any, name: str, sql: str, given: Mapping[str, Any], *_: Any
    ) -> Coroutine[Any, Any, Any]:
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
        status = await connection.execute(sql, *self._ordered(name, given))
        return int(status.rpartition(" ")[2])

    def _ordered(self, name: str, given: Mapping[str, Any]) -> list[Any]:
        return [given[each] for each in self.var_sorted[name]]


@cache
def named(subject: str) -> Any:
    return aiosql.from_str(statements(subject, __package__, SLOTS), _Adapter)  # type: ignore[arg-type]
