"""Reading any page of the finished calls at the cost of the first.

Beside ``calls`` stand the numbers of calls in each minute, hour and day of each account. One
statement covers the window by the widest whole buckets that fit, goes through their sums to the one
that holds the page's first call, and from there through finer ones to its minute (``history.sql``):
what it sees is one state of the database, so the total is exact whatever is written meanwhile.
"""

from __future__ import annotations

from typing import Any

from trunkline.history.row import history_row
from trunkline.store.common.spans import cover
from trunkline.store.ports.database import Page
from trunkline.store.ports.history import FIRST, LAST
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.queries import named


async def read_page(
    connection: Connection, account_id: str, start: int, end: int, limit: int, page: int
) -> Page:
    low, high = max(start, FIRST), min(end, LAST)
    rows = await named("history").page(
        connection,
        account_id=account_id,
        skip=(page - 1) * limit,
        limit=limit,
        **_window(low, high),
    )
    return Page(rows[0][0], [history_row(*row) for _, *row in rows if row[-1] is not None])


async def read_total(connection: Connection, account_id: str, start: int, end: int) -> int:
    total: int = await named("history").total(
        connection, account_id=account_id, **_window(start, end)
    )
    return total


def _window(start: int, end: int) -> dict[str, Any]:
    spans = list(cover(start, end))
    return {
        "levels": [span.level for span in spans],
        "lows": [span.low for span in spans],
        "highs": [span.high for span in spans],
        "low": start,
        "high": end,
    }
