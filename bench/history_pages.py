"""History at a million calls: page 10,000 beside page 1, and beside what OFFSET would cost.

By the database's own port (``Calls.page``) and over HTTP, 20 records a page; all ways in turn.
"""

from __future__ import annotations

import asyncio
import http.client
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.whole.api import sha256

from trunkline.store.secrets import open_key
from trunkline.store.sqlite import open_database
from trunkline.store.sqlite.connect import connect_reader

from .figures import Figure, compared, quantile
from .million import Million, million
from .stage import Bench, on_stage

CALLS = 1_000_000
LIMIT, FAR = 20, 10_000
ROUNDS, NAIVE_ROUNDS = 400, 12
_NAIVE = (
    "SELECT caller_number, caller_username, callee_number, callee_username, class, did_number,"
    " direction, status_detail, duration_seconds, started_at, billing_seconds, recording, id"
    " FROM calls WHERE account_id = ? AND started_at >= ? AND started_at < ?"
    " ORDER BY started_at DESC, id DESC LIMIT ? OFFSET ?"
)
_COUNT = "SELECT count(*) FROM calls WHERE account_id = ? AND started_at >= ? AND started_at < ?"


async def measure(calls: int = CALLS, directory: str = "") -> list[Figure]:
    """Pages of a window that holds all the calls."""
    made = await asyncio.to_thread(million, directory, calls)
    far = min(FAR, calls // LIMIT)
    figures = await _by_port(made, far)
    async with on_stage(made.data) as bench:
        return figures + await _over_http(bench, made, far)


async def _by_port(made: Million, far: int) -> list[Figure]:
    db = open_database(made.data / "trunkline.db", open_key(made.data / "secret.key"))
    first: list[float] = []
    there: list[float] = []
    naive: list[float] = []
    try:
        for number in range(20 + ROUNDS):
            for page, samples in ((1, first), (far, there)):
                begun = time.perf_counter()
                found = await db.calls.page(made.account_id, *made.window, LIMIT, page)
                samples.append((time.perf_counter() - begun) * 1000)
                assert (found.total, len(found.rows)) == (made.calls, LIMIT)
            if number % (ROUNDS // NAIVE_ROUNDS) == 0:
                naive.append(_naive(made, far, [row.call_id for row in found.rows]))
    finally:
        await db.close()
    first, there = first[20:], there[20:]
    note = f"{made.calls} calls, {ROUNDS} rounds; OFFSET and COUNT(*) takes {quantile(naive, 0.5):.0f} ms"
    return [
        compared(f"history page {far}/1, port p50", first, there, 0.5, aim=1.7, note=note),
        compared(f"history page {far}/1, port p99", first, there, 0.99),
        compared(f"history page {far}: ours/OFFSET", naive, there, 0.5, block=10**9),
    ]


def _naive(made: Million, page: int, expected: list[str]) -> float:
    """The same page by OFFSET, with its COUNT(*), in ms; it must hold the same calls."""
    where = (made.account_id, *made.window)
    with closing(connect_reader(made.data / "trunkline.db")) as connection:
        begun = time.perf_counter()
        (total,) = connection.execute(_COUNT, where).fetchone()
        rows = connection.execute(_NAIVE, (*where, LIMIT, (page - 1) * LIMIT)).fetchall()
        taken = (time.perf_counter() - begun) * 1000
    assert (total, [row[-1] for row in rows]) == (made.calls, expected)
    return taken


async def _over_http(bench: Bench, made: Million, far: int) -> list[Figure]:
    app = await bench.server.cli("app", "create", "--account", made.account)
    paths = [_path(app, made, page) for page in (1, far)]
    first, there = await asyncio.to_thread(_asked, bench.server.http, paths)
    note = f"{ROUNDS} rounds, one kept-alive connection"
    return [
        compared(f"history page {far}/1, HTTP p50", first, there, 0.5, aim=1.7, note=note),
        compared(f"history page {far}/1, HTTP p99", first, there, 0.99),
    ]


def _path(app: dict[str, Any], made: Million, page: int) -> str:
    begin, end = (_iso(at) for at in made.window)
    sent = {"created_from": begin, "created_to": end, "limit": str(LIMIT), "page": str(page)}
    digest = sha256(app["appId"], *sent.values(), app["appSecret"])
    return "/oapi/v1/call/histories?" + urlencode(sent | {"appId": app["appId"], "hash": digest})


def _asked(address: str, paths: list[str]) -> tuple[list[float], list[float]]:
    host, port = address.split(":")
    samples: tuple[list[float], list[float]] = ([], [])
    with closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection:
        for _ in range(20 + ROUNDS):
            for path, taken in zip(paths, samples, strict=True):
                begun = time.perf_counter()
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                taken.append((time.perf_counter() - begun) * 1000)
                assert answer.status == 200, body
    return samples[0][20:], samples[1][20:]


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
