"""Is what was made what the product would have written? Counted anew, in plain SQL, on both databases.

It takes minutes at ten million calls, so it is done once, when they have been made (or on ``--check``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from trunkline.store.common.spans import DAY, HOUR, MINUTE

from .kept import Kept

Ask = Callable[[str], list[tuple[Any, ...]]]
_WIDTHS = (("minute", MINUTE), ("hour", HOUR), ("day", DAY))
_STATS = (900, 10_800, 86_400)


def check(kept: Kept) -> list[str]:
    """What is wrong; nothing should be."""
    if isinstance(kept.place, Path):
        with closing(sqlite3.connect(f"{kept.place.as_uri()}?mode=ro", uri=True)) as file:
            return _wrong(kept, lambda sql: file.execute(sql).fetchall())
    with psycopg.connect(kept.place) as server:
        return _wrong(kept, lambda sql: server.execute(sql.encode()).fetchall())


def _wrong(kept: Kept, ask: Ask) -> list[str]:
    wrong = []
    for name, width in _WIDTHS:
        rows = (
            f"SELECT account_id, started_at / {width} AS b, count(*) AS n FROM calls GROUP BY 1, 2"
        )
        counts = f"SELECT account_id, bucket AS b, n FROM call_counts_{name}"
        for one, other in ((rows, counts), (counts, rows)):
            if found := ask(f"SELECT count(*) FROM ({one} EXCEPT {other}) AS odd")[0][0]:
                wrong.append(f"{kept.name}: {found} counts by {name} are wrong")
    by_account: dict[str, int] = dict(
        ask("SELECT account_id, sum(n) FROM call_counts_day GROUP BY 1")
    )
    wrong += [f"{kept.name}: {text}" for text in _by_account(kept, ask, by_account)]
    return wrong


def _by_account(kept: Kept, ask: Ask, calls: dict[str, int]) -> Sequence[str]:
    wrong = []
    if sum(calls.values()) < kept.calls:
        wrong.append(f"{sum(calls.values())} calls, and there should be {kept.calls}")
    joined = "FROM {} AS t JOIN accounts AS a ON a.number = t.account_number GROUP BY 1"
    updates: dict[str, int] = dict(ask(f"SELECT a.id, count(*) {joined.format('call_updates')}"))
    last = {id_: n for id_, n in ask("SELECT id, last_update FROM accounts") if n}
    for what, found in (("rows in call_updates", updates), ("last_update", last)):
        if found != calls:
            wrong.append(f"{what}: not as many as calls")
    for width in _STATS:
        sums = "SELECT account_id, sum(calls) FROM call_stats WHERE dimension = 'all'"
        if dict(ask(f"{sums} AND width = {width} GROUP BY 1")) != calls:
            wrong.append(f"the statistics of {width} s: not as many as calls")
    callers = (
        "SELECT count(*) FROM calls AS c JOIN accounts AS a ON a.id = c.account_id"
        " WHERE c.caller_username IS NOT NULL AND c.account_id = '{}' AND NOT EXISTS ("
        "SELECT 1 FROM call_terms AS t WHERE t.account_number = a.number"
        " AND t.term = 'u:' || c.caller_username AND t.started_at = c.started_at)"
    )
    if missing := ask(callers.format(kept.accounts[-1]))[0][0]:
        wrong.append(f"{missing} calls of the smallest account are not found by their user")
    return wrong
