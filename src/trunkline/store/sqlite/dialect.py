"""What SQLite does in its own way (see ``common.dialect.Dialect``)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trunkline.delivery.webhook import Outgoing
from trunkline.store.common.dialect import Text
from trunkline.store.sqlite.deleting import delete_calls as delete_calls
from trunkline.store.sqlite.deleting import lock_owners as lock_owners
from trunkline.store.sqlite.deleting import lock_recordings as lock_recordings
from trunkline.store.sqlite.events import lock_accounts as lock_accounts
from trunkline.store.sqlite.events import store_events as store_events
from trunkline.store.sqlite.finding import SqliteFinder
from trunkline.store.sqlite.indexing import add_terms as add_terms
from trunkline.store.sqlite.indexing import drop_terms as drop_terms
from trunkline.store.sqlite.indexing import index_calls as index_calls
from trunkline.store.sqlite.pages import read_page as read_page
from trunkline.store.sqlite.pages import read_total as read_total
from trunkline.store.sqlite.queries import named as named
from trunkline.store.sqlite.statistics import count_older as count_older
from trunkline.store.sqlite.statistics import summed as summed

Finder = SqliteFinder


def storable(text: Text) -> Text:
    """As it is: SQLite's texts may have a NUL."""
    return text


def searched(text: str) -> str:
    return text


async def queue_deliveries(
    connection: sqlite3.Connection, webhook_id: str, wanted: Sequence[Outgoing], now: int
) -> int:
    insert, inserted = named("deliveries").insert, 0
    for each in wanted:
        columns = msgspec.structs.asdict(each)
        inserted += await insert(connection, webhook_id=webhook_id, now=now, **columns)
    return inserted


async def add_sip_rows(connection: sqlite3.Connection, rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        await named("sip_messages").add(connection, **row)


async def by_column(
    connection: sqlite3.Connection, query: Any, given: Mapping[str, Any]
) -> dict[str, Any] | None:
    cursor = connection.execute(query.sql, given)
    row = cursor.fetchone()
    names = [name for name, *_ in cursor.description]
    return None if row is None else dict(zip(names, row, strict=True))
