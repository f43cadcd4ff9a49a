"""Totals of random windows, each against an independent count of the rows.

At rest: every call's start is read once from the rows, and each window counted among them; one in
twenty by ``COUNT(*)``, too. While calls are written: in one state of the database, the total from
the counts and ``COUNT(*)`` of the rows, of windows that end among the calls that are coming in.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from trunkline.store.common.spans import DAY, HOUR, MINUTE
from trunkline.store.ports.database import Database

from ..figures import Figure
from .kept import Kept
from .naive import COUNT, Naive
from .office import END, WINDOW
from .writing import writing

WINDOWS, WRITTEN_WINDOWS = 1000, 200
_SOME = (0, 0, 0, 1, 10, 49)
"""The accounts that windows are of, the largest one most often."""


async def measure(kept: Kept, *, windows: int = WINDOWS, rate: int = 1000) -> list[Figure]:
    """How many totals were not exact."""
    db = kept.open()
    try:
        wrong = await _at_rest(kept, db, windows)
    finally:
        await db.close()
    figures = [_figure(f"{kept.name}, idle", windows, wrong)]
    async with writing(kept, rate) as pace:
        wrong, lately = await _while_written(kept, windows // 5, pace.began_at)
    note = f"{lately} of them held calls that came in meanwhile"
    figures.append(pace.figure(kept))
    return [*figures, _figure(f"{kept.name}, calls written", windows // 5, wrong, note)]


def _figure(where: str, windows: int, wrong: int, note: str = "") -> Figure:
    return Figure(
        name=f"{where}: totals that are not exact",
        baseline=windows,
        candidate=wrong,
        unit="windows",
        aim=0,
        aim_is="candidate",
        note=note,
    )


async def _at_rest(kept: Kept, db: Database, windows: int) -> int:
    wrong, chance, plain = 0, random.Random(4), Naive(kept)
    with plain.closing():
        for number in sorted(set(_SOME)):
            account_id = kept.accounts[number]
            starts = np.array([at for (at,) in plain.all(_STARTS, account_id)], dtype=np.int64)
            starts.sort()
            for n, (low, high) in enumerate(_windows(chance, windows * _SOME.count(number) // 6)):
                total = (await db.calls.page(account_id, low, high, 1, 1)).total
                there = int(np.searchsorted(starts, high) - np.searchsorted(starts, low))
                if n % 20 == 0:
                    assert plain.all(COUNT, account_id, low, high) == [(there,)]
                wrong += total != there
    return wrong


_STARTS = "SELECT started_at FROM calls WHERE account_id = ?"


def _windows(chance: random.Random, windows: int) -> Iterator[tuple[int, int]]:
    """Some of seconds, some of weeks; some that begin or end on a minute, an hour, a day."""
    for _ in range(windows):
        low = chance.randrange(WINDOW[0] - DAY, END + DAY)
        wide = chance.choice((MINUTE, HOUR, DAY, 31 * DAY))
        high = low + chance.randrange(1, wide)
        round_to = chance.choice((1, 1, MINUTE, HOUR, DAY))
        yield low // round_to * round_to, -(-high // round_to) * round_to


async def _while_written(kept: Kept, windows: int, began_at: int) -> tuple[int, int]:
    """(not exact, windows that held new calls), each read in one state of the database."""
    wrong = lately = 0
    chance, snapshots = random.Random(5), _Snapshots(kept)
    await snapshots.open()
    for _ in range(windows):
        low = began_at - chance.randrange(MINUTE, 2 * HOUR)
        total, there, new = await snapshots.both(kept.accounts[0], low, END, began_at)
        wrong, lately = wrong + (total != there), lately + (new > 0)
        await asyncio.sleep(0.01)
    await snapshots.close()
    return wrong, lately


class _Snapshots:
    """Reads the product's total and the rows' number in one transaction."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._connection: Any = None

    async def open(self) -> None:
        if isinstance(self._kept.place, Path):
            from trunkline.store.sqlite.connect import connect_reader

            self._connection = connect_reader(self._kept.place)
        else:
            self._connection = await asyncpg.connect(self._kept.place)

    async def both(self, account_id: str, low: int, high: int, since: int) -> tuple[int, int, int]:
        """(total from the counts, rows, rows that started from ``since`` on)."""
        if isinstance(self._kept.place, Path):
            return self._of_file(account_id, low, high, since)
        from trunkline.store.postgres.pages import read_total

        connection, count = self._connection, COUNT
        for number in (1, 2, 3):
            count = count.replace("?", f"${number}", 1)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            total = await read_total(connection, account_id, low, high)
            rows = await connection.fetchval(count, account_id, low, high)
            return total, rows, await connection.fetchval(count, account_id, since, high)

    def _of_file(self, account_id: str, low: int, high: int, since: int) -> tuple[int, int, int]:
        from trunkline.store.sqlite.pages import read_total
        from trunkline.store.sqlite.queries import driven

        connection = self._connection
        connection.execute("BEGIN")
        total = driven(read_total(connection, account_id, low, high))
        (rows,) = connection.execute(COUNT, (account_id, low, high)).fetchone()
        (new,) = connection.execute(COUNT, (account_id, since, high)).fetchone()
        connection.execute("ROLLBACK")
        return total, rows, new

    async def close(self) -> None:
        closed = self._connection.close()
        if closed is not None:
            await closed
