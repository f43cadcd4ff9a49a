"""Requests a second of ``GET /oapi/v1/call/histories`` by the real server, beside FastAPI.

``trunkline up``, all of it, with its event log, engine and sockets, is pinned to one core, and so is FastAPI;
they take turns, and the other core asks: 32 connections, each the next page as soon as it has one. Every
request has another window and page, and its own hash. FastAPI with SQLAlchemy does the same work on the same
rows (``with_sqlalchemy``); from memory it has neither database nor hash (``memory``).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import secrets
import sys
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
from tests.whole.api import sha256
from tests.whole.waiting import until

from trunkline.directory.entries import AccountEntry
from trunkline.store.common.spans import DAY, HOUR
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.work.manage import entries
from trunkline.work.manage.apps import create_app

from ..figures import Figure, quantile
from ..history_pages import _iso as iso
from ..stage import Bench, on_stage
from .kept import POSTGRESQL, Kept
from .office import END, WINDOW
from .pages import LIMIT

CONNECTIONS, SECONDS, ROUNDS, DIFFERENT = 32, 1.5, 8, 2000
PATH = "/oapi/v1/call/histories"
_CORES = sorted(os.sched_getaffinity(0))
SERVERS, ASKING = _CORES[0], _CORES[-1]


class Round(NamedTuple):
    """What one side did: answers a second, its CPU µs an answer, the latencies in ms."""

    rate: float
    cpu: float
    latencies: list[float]


async def measure(
    kept: Kept, *, rounds: int = ROUNDS, seconds: float = SECONDS, different: int = DIFFERENT
) -> list[Figure]:
    """Ours, what a user would write, the same bytes, and the same records, in turns."""
    asking = _Asking(kept)
    wide, narrow = await asking.wide(different), await asking.narrow(different)
    settings = {"database": kept.where} if kept.name == POSTGRESQL else {}
    async with on_stage(kept.data, **settings) as bench:
        _pin(bench)
        async with httpx.AsyncClient(base_url=f"http://{bench.server.http}") as client:
            answer = (await client.get(f"{PATH}?{wide[0]}")).raise_for_status()
        assert len(json.loads(answer.content)) == LIMIT
        async with _memory(bench, answer.content) as (port, pid), _own(bench, asking) as own:
            await _agree(own[0], wide[0], answer)
            here = bench.server.http.rpartition(":")[2], bench.server.program.pid  # type: ignore[union-attr]
            sides = {
                "ours": (int(here[0]), here[1], PATH, wide),
                "ours, an hour": (int(here[0]), here[1], PATH, narrow),
                **{name: (*own, path, wide) for name, path in _routes(kept).items()},
                **{
                    f"{name}, an hour": (*own, path, narrow) for name, path in _routes(kept).items()
                },
                "bytes": (port, pid, "/bytes", wide),
                "records": (port, pid, "/records", wide),
            }
            done: dict[str, list[Round]] = {name: [] for name in sides}
            for number in range(rounds + 1):
                for name, side in sides.items():
                    took = await _asked(*side, seconds if number else 0.5)
                    done[name] += [took] if number else []
    (kept.data / "trunkline.toml").unlink()
    return _figures(kept, done)


def _routes(kept: Kept) -> dict[str, str]:
    """What a user would write, in a thread and on the loop."""
    ways = {"SQLAlchemy": "/threads"}
    return ways | {"SQLAlchemy, async": "/async"} if kept.name == POSTGRESQL else ways


async def _agree(port: int, query: str, ours: httpx.Response) -> None:
    """What a user would write gives the same calls and the same total."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = (await client.get(f"/threads?{query}")).raise_for_status()
    assert answer.headers["x-total-count"] == ours.headers["x-total-count"]
    assert [each["call_id"] for each in answer.json()] == [each["call_id"] for each in ours.json()]


def _figures(kept: Kept, done: dict[str, list[Round]]) -> list[Figure]:
    ours = done["ours"]
    figures = []
    for name, aim in [(each, 4.0) for each in done if "SQLAlchemy" in each] + [
        ("bytes", 1.5),
        ("records", None),
    ]:
        here = done["ours, an hour"] if name.endswith("an hour") else ours
        where = f"{kept.name}: HTTP, histories / FastAPI's {name}"
        rates = [(there.rate, own.rate) for there, own in zip(done[name], here, strict=True)]
        figures.append(_compared(f"{where}, requests/s", rates, "/s", aim, at_least=True))
        cpu = [(there.cpu, own.cpu) for there, own in zip(done[name], here, strict=True)]
        figures.append(_compared(f"{where}, CPU a request", cpu, "µs", None))
    for name, side in (("histories", ours), ("FastAPI's bytes", done["bytes"])):
        taken = [each for part in side for each in part.latencies]
        p50, p99 = quantile(taken, 0.5), quantile(taken, 0.99)
        figures.append(
            Figure(
                name=f"{kept.name}: HTTP, {name}, {CONNECTIONS} connections, p99 / p50",
                baseline=p50,
                candidate=p99,
                ratio=p99 / p50,
                aim=3 if side is ours else None,
                note=f"{len(taken)} requests",
            )
        )
    return figures


def _compared(
    name: str, pairs: Sequence[tuple[float, float]], unit: str, aim: float | None, **more: Any
) -> Figure:
    return Figure(
        name=name,
        baseline=median(there for there, _ in pairs),
        candidate=median(here for _, here in pairs),
        ratio=median(here / there for there, here in pairs),
        unit=unit,
        aim=aim,
        note=f"{len(pairs)} rounds in turns",
        **more,
    )


class _Asking:
    """An app of the first account, and signed queries of it, none twice."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        with ManagedDirectory(kept.place, kept.key).transaction() as directory:
            account = entries.find(directory, AccountEntry, kept.accounts[0])
            self._app, self.secret = create_app(directory, account, "bench")
        self.where = kept.where
        self._account_id = account.account_id
        self._chance = random.Random(secrets.randbits(64))

    async def wide(self, different: int) -> list[str]:
        """Random windows of five days and more, and pages that are there."""
        db, queries = self._kept.open(), []
        try:
            for _ in range(different):
                low = WINDOW[0] + self._chance.randrange(20 * DAY) // 1000 * 1000
                high = self._chance.randrange(low + 5 * DAY, END) // 1000 * 1000
                total = (await db.calls.page(self._account_id, low, high, 1, 1)).total
                page = self._chance.randrange(1, max(2, total // LIMIT))
                queries.append(_query(self._app.app_id, self.secret, low, high, page))
        finally:
            await db.close()
        return queries

    async def narrow(self, different: int) -> list[str]:
        """The first page of an hour: there is little to count, and nothing to skip."""
        lows = (WINDOW[0] + self._chance.randrange(30 * DAY) for _ in range(different))
        whole = [low // 1000 * 1000 for low in lows]
        return [_query(self._app.app_id, self.secret, low, low + HOUR, 1) for low in whole]


def _query(app_id: str, secret: str, low: int, high: int, page: int) -> str:
    window = {"created_from": _iso(low), "created_to": _iso(high)}
    sent = window | {"limit": str(LIMIT), "page": str(page)}
    return urlencode(sent | {"appId": app_id, "hash": sha256(app_id, *sent.values(), secret)})


def _iso(at: int) -> str:
    return f"{iso(at)[:-4]}{at // 1000 % 1000:03}Z"


def _pin(bench: Bench) -> None:
    """The server on its core; the engine, which has nothing to do, on the other."""
    program = bench.server.program
    assert program is not None
    for pid, core in ((program.pid, SERVERS), (bench.server.engine_pid, ASKING)):
        for thread in Path(f"/proc/{pid}/task").glob("*"):
            os.sched_setaffinity(int(thread.name), {core})


@asynccontextmanager
async def _memory(bench: Bench, body: bytes) -> AsyncIterator[tuple[int, int]]:
    """(port, pid) of FastAPI with an answer in its memory."""
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        file = Path(folder) / "body.json"
        file.write_bytes(body)
        async with _program(bench, "memory", str(file)) as where:
            yield where


@asynccontextmanager
async def _own(bench: Bench, asking: _Asking) -> AsyncIterator[tuple[int, int]]:
    """(port, pid) of FastAPI and SQLAlchemy on the same database."""
    async with _program(bench, "with_sqlalchemy", asking.where, told=asking.secret) as where:
        yield where


@asynccontextmanager
async def _program(
    bench: Bench, module: str, *arguments: str, told: str = ""
) -> AsyncIterator[tuple[int, int]]:
    """(port, pid) of a web server of this folder that answers, on the servers' core."""
    port = bench.ports.one()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"bench.histories.{module}", str(port), str(SERVERS), *arguments),
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdin
        process.stdin.write(f"{told}\n".encode())
        await process.stdin.drain()
        async with httpx.AsyncClient() as client:

            async def answers() -> bool:
                try:
                    return (await client.get(f"http://127.0.0.1:{port}/")).status_code == 404
                except httpx.HTTPError:
                    return False

            await until(answers, "FastAPI answers")
        yield port, process.pid
    finally:
        process.terminate()
        await process.wait()


async def _asked(port: int, pid: int, path: str, queries: Sequence[str], seconds: float) -> Round:
    text = "GET {}?{} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n"
    lines = "\n".join(json.dumps(text.format(path, query)) for query in queries)
    arguments = (str(port), str(ASKING), str(CONNECTIONS), str(seconds))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.histories.load", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    before = _cpu(pid)
    out, _ = await process.communicate(lines.encode())
    spent = _cpu(pid) - before
    told = json.loads(out)
    assert not told["failed"], told["failed"]
    taken = array("I")
    taken.frombytes(base64.b64decode(told["latencies"]))
    answers = int(told["answers"])
    return Round(answers / told["seconds"], spent / answers * 1e6, [each / 1000 for each in taken])


def _cpu(pid: int) -> float:
    """CPU seconds so far, all threads: the process's CPU clock, clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9
