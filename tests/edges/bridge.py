"""A PostgreSQL database as this suite asks it: reads that do not wait, from any loop.

Its reads are ``async`` and SQLite's are not yet. Until both are, it lives in a thread with a loop of
its own: what is synchronous in SQLite's implementation is waited for, the rest is awaited.
"""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from cluster import binaries
from trunkline.db import postgres, sqlite
from trunkline.db.place import Place
from trunkline.db.secrets import Key

_PARTS = {
    "directory": sqlite.database.SqliteDirectory,
    "calls": sqlite.database.SqliteCalls,
    "history": sqlite.database.SqliteHistory,
    "statistics": sqlite.database.SqliteStatistics,
    "events": sqlite.database.SqliteEvents,
    "requests": sqlite.database.SqliteRequests,
    "tokens": sqlite.database.SqliteTokens,
    "keys": sqlite.database.SqliteKeys,
    "recordings": sqlite.database.SqliteRecordings,
    "webhooks": sqlite.database.SqliteWebhooks,
    "deliveries": sqlite.database.SqliteDeliveries,
}


def everything_stored(place: Place) -> bytes:
    """All of the database, as bytes that a secret would be found in."""
    if isinstance(place, Path):
        return b"".join(file.read_bytes() for file in place.parent.glob("trunkline.db*"))
    dump = [binaries() / "pg_dump", "--data-only", place]
    return subprocess.run(dump, capture_output=True, check=True).stdout


class Bridge:
    """The database, for tests."""

    def __init__(self, url: str, key: Key, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._database = self._wait(self._open(url, key, options))
        for name, like in _PARTS.items():
            setattr(self, name, _Part(self, getattr(self._database, name), like))

    async def _open(self, url: str, key: Key, options: dict[str, Any]) -> Any:
        return postgres.open_database(url, key, **options)

    async def ping(self) -> None:
        await self._await(self._database.ping())

    async def prune(self, now: int) -> int:
        pruned: int = await self._await(self._database.prune(now))
        return pruned

    async def close(self) -> None:
        await self._await(self._database.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _await(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


class _Part:
    def __init__(self, bridge: Bridge, part: Any, like: type) -> None:
        self._bridge, self._part, self._like = bridge, part, like

    def __setattr__(self, name: str, value: Any) -> None:
        if name in {"_bridge", "_part", "_like"}:
            super().__setattr__(name, value)
        else:
            setattr(self._part, name, value)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if not callable(method):
            return method
        waits = inspect.iscoroutinefunction(getattr(self._like, name))
        carry = self._bridge._await if waits else self._bridge._wait
        return lambda *given, **named: carry(method(*given, **named))
