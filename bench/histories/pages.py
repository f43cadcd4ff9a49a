"""Pages 1, 1,000, 100,000 and the last of one account's 31 days, idle and while calls are written.

By the product's port (``Calls.page``), all pages in turn; beside them the same pages by ``OFFSET`` and
``COUNT(*)``, now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from trunkline.store.ports.database import Database, Page

from ..figures import Figure, compared, quantile
from .kept import Kept
from .naive import Naive, NaivePage
from .office import WINDOW
from .writing import writing

LIMIT = 20
ROUNDS, NAIVE_ROUNDS, NAIVE_MEANWHILE = 300, 5, 2
RATE = 1000
"""Calls a second that are written meanwhile."""


async def measure(kept: Kept, *, rounds: int = ROUNDS, rate: int = RATE) -> list[Figure]:
    """Idle first, then while calls are written."""
    db = kept.open()
    figures: list[Figure] = []
    try:
        figures += await _measured(kept, db, "idle", rounds, NAIVE_ROUNDS)
        async with writing(kept, rate) as pace:
            figures += await _measured(kept, db, "calls written", rounds, NAIVE_MEANWHILE)
        figures.append(pace.figure(kept))
    finally:
        await db.close()
    return figures


async def _measured(
    kept: Kept, db: Database, when: str, rounds: int, naive_rounds: int
) -> list[Figure]:
    total = (await _page(kept, db, 1)).total
    pages = _pages(total)
    ours: dict[int, list[float]] = {page: [] for page in pages}
    naive: dict[int, list[NaivePage]] = {page: [] for page in pages}
    for number in range(rounds + 20):
        for page in pages:
            ours[page].append(await _timed(kept, db, page))
        if number % (rounds // naive_rounds) == rounds // naive_rounds - 1:
            await _take_naive(kept, db, naive, same=when == "idle")
    ours = {page: samples[20:] for page, samples in ours.items()}
    return [*_ours(f"{kept.name}, {when}", ours), *_beside(f"{kept.name}, {when}", ours, naive)]


def _pages(total: int) -> list[int]:
    """Those that are there, the last one last."""
    last = -(-total // LIMIT)
    return [page for page in (1, 1_000, 100_000) if page < last] + [last]


async def _page(kept: Kept, db: Database, page: int) -> Page:
    return await db.calls.page(kept.accounts[0], *WINDOW, LIMIT, page)


async def _timed(kept: Kept, db: Database, page: int) -> float:
    began = time.perf_counter()
    found = await _page(kept, db, page)
    taken = (time.perf_counter() - began) * 1000
    assert found.rows, (kept.name, page, found.total)
    return taken


async def _take_naive(
    kept: Kept, db: Database, naive: dict[int, list[NaivePage]], *, same: bool
) -> None:
    """Where nothing is written, both ways must give the same."""
    for page, samples in naive.items():
        found = await asyncio.to_thread(_naive, kept, page)
        samples.append(found)
        if same:
            ours = await _page(kept, db, page)
            assert (ours.total, [row.call_id for row in ours.rows]) == found[:2], (kept.name, page)


def _naive(kept: Kept, page: int) -> NaivePage:
    plain = Naive(kept)
    with plain.closing():
        return plain.page(kept.accounts[0], WINDOW, LIMIT, page)


def _ours(where: str, ours: dict[int, list[float]]) -> list[Figure]:
    last, first = max(ours), ours[1]
    figures = []
    for page, samples in ours.items():
        aim, name = (1.7 if page == last > 1 else None), f"{where}: page {page:,}"
        figures.append(compared(f"{name}, p50 / page 1", first, samples, 0.5, aim=aim))
        figures.append(compared(f"{name}, p99 / page 1", first, samples, 0.99))
    return figures


def _beside(
    where: str, ours: dict[int, list[float]], naive: dict[int, list[NaivePage]]
) -> list[Figure]:
    figures = []
    for page, samples in naive.items():
        aim = 0.01 if page == 100_000 else None
        taken, rows = [each.ms for each in samples], [each.page_ms for each in samples]
        note = f"OFFSET alone: {quantile(rows, 0.5):.3g} ms"
        name = f"{where}: page {page:,}, p50 / OFFSET and COUNT(*)"
        figures.append(_apart(name, taken, ours[page], aim, note))
        if page == 100_000:
            figures.append(_apart(f"{where}: page {page:,}, p50 / OFFSET", rows, ours[page], aim))
    return figures


def _apart(
    name: str, naive: Sequence[float], ours: Sequence[float], aim: float | None, note: str = ""
) -> Figure:
    return compared(name, naive, ours, 0.5, block=10**9, aim=aim, note=note)
