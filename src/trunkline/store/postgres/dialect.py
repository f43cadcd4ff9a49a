"""What PostgreSQL does in its own way (see ``common.dialect.Dialect``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trunkline.delivery.webhook import Outgoing
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.deleting import delete_calls as delete_calls
from trunkline.store.postgres.deleting import lock_owners as lock_owners
from trunkline.store.postgres.deleting import lock_recordings as lock_recordings
from trunkline.store.postgres.events import lock_accounts as lock_accounts
from trunkline.store.postgres.events import store_events as store_events
from trunkline.store.postgres.finding import PostgresFinder
from trunkline.store.postgres.indexing import add_terms as add_terms
from trunkline.store.postgres.indexing import drop_terms as drop_terms
from trunkline.store.postgres.indexing import index_calls as index_calls
from trunkline.store.postgres.pages import read_page as read_page
from trunkline.store.postgres.pages import read_total as read_total
from trunkline.store.postgres.queries import named as named
from trunkline.store.postgres.statistics import count_older as count_older
from trunkline.store.postgres.statistics import summed as summed
from trunkline.store.postgres.text import searched as searched
from trunkline.store.postgres.text import storable as storable

Finder = PostgresFinder


async def queue_deliveries(
    connection: Connection, webhook_id: str, wanted: Sequence[Outgoing], now: int
) -> int:
    if not wanted:
        return 0
    inserted: int = await named("deliveries").insert(
        connection,
        webhook_id=webhook_id,
        now=now,
        seqs=[each.seq for each in wanted],
        gap_froms=[each.gap_from for each in wanted],
        lanes=[storable(each.lane) for each in wanted],
        call_ids=[storable(each.call_id) for each in wanted],
        names=[each.name for each in wanted],
        kinds=[each.kind for each in wanted],
    )
    return inserted


async def add_sip_rows(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    columns = {f"all_{name}": [row[name] for row in rows] for name in rows[0]}
    await named("sip_messages").add(connection, **columns)


async def by_column(
    connection: Connection, query: Callable[..., Any], given: Mapping[str, Any]
) -> dict[str, Any] | None:
    row = await query(connection, **given)
    return None if row is None else dict(row)
