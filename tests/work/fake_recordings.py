"""A hand-written ``Recordings`` that outlives its process, and a bus that remembers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from trunkline.bus.port import Listener
from trunkline.calls.recording_plan import Composed
from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.common.recording_rows import recording
from trunkline.store.ports.database import DatabaseUnavailable, Recording

_TABLES = """
CREATE TABLE IF NOT EXISTS recordings (
  name TEXT PRIMARY KEY, account_id TEXT, call_id TEXT, id TEXT UNIQUE, state TEXT DEFAULT 'pending',
  attempts INTEGER DEFAULT 0, bytes INTEGER DEFAULT 0, seconds REAL DEFAULT 0, created_at INTEGER,
  plan TEXT DEFAULT '', worker TEXT, until INTEGER, reason TEXT);
CREATE TABLE IF NOT EXISTS files (raw TEXT, id TEXT);
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, call_id TEXT, body BLOB);
"""
_ROW = """SELECT name, account_id, call_id, id, state, attempts, bytes, seconds, created_at, 'crm-7', 'call', plan
FROM recordings"""


class FakeRecordings:
    """One SQLite file; every write is one transaction."""

    def __init__(self, file: Path) -> None:
        self.db = sqlite3.connect(file, isolation_level=None, timeout=30)
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)
        self.unavailable = False

    def expect(
        self,
        id_: str,
        created_at: int = 2**60,
        account_id: str = "acc",
        plan: Composed | None = None,
    ) -> str:
        """The call ``id-<id_>`` has ended; gives the recording's public name."""
        name = f"call_recording_{id_}.mp3"
        text = msgspec.json.encode(plan).decode() if plan else ""
        self.db.execute("BEGIN IMMEDIATE")
        self.db.execute(
            "INSERT INTO recordings (name, account_id, call_id, id, created_at, plan)"
            " VALUES (?,?,?,?,?,?)",
            (name, account_id, f"id-{id_}", id_, created_at, text),
        )
        files = plan.files if plan else (id_,)
        self.db.executemany("INSERT INTO files VALUES (?,?)", [(raw, id_) for raw in files])
        self.db.execute("COMMIT")
        return name

    def all(self) -> list[Recording]:
        return [recording(row) for row in self.db.execute(_ROW + " ORDER BY name")]

    def events(self) -> list[tuple[str, str]]:
        """(event, call id) in order."""
        return list(self.db.execute("SELECT name, call_id FROM events ORDER BY seq"))

    def reason(self, id_: str) -> str:
        query = "SELECT reason FROM recordings WHERE id = ?"
        return str(self.db.execute(query, (id_,)).fetchone()[0])

    def _one(self, where: str, *values: object) -> Recording | None:
        row = self.db.execute(f"{_ROW} WHERE {where}", values).fetchone()
        return None if row is None else recording(row)

    async def by_name(self, account_id: str, name: str) -> Recording | None:
        return self._one("account_id = ? AND name = ?", account_id, name)

    async def any_account(self, name: str) -> Recording | None:
        return self._one("name = ?", name)

    async def of_raw(self, raw: str) -> list[Recording]:
        query = _ROW + " WHERE id IN (SELECT id FROM files WHERE raw = ?) ORDER BY created_at, name"
        return [recording(row) for row in self.db.execute(query, (raw,))]

    async def claim(self, name: str, worker: str, now: int, until: int) -> Recording | None:
        self._ready()
        taken = self.db.execute(
            "UPDATE recordings SET worker = ?, until = ?, attempts = attempts + 1 WHERE name = ?"
            " AND state = 'pending' AND (worker IS NULL OR worker = ? OR until <= ?)",
            (worker, until, name, worker, now),
        ).rowcount
        return self._one("name = ?", name) if taken else None

    async def done(
        self, name: str, worker: str, size: int, seconds: float, announcement: Announcement
    ) -> StoredEvent | None:
        change = "state = 'ready', bytes = ?, seconds = ?"
        return self._end(name, worker, change, (size, seconds), announcement)

    async def failed(
        self, name: str, worker: str, reason: str, announcement: Announcement
    ) -> StoredEvent | None:
        return self._end(name, worker, "state = 'failed', reason = ?", (reason,), announcement)

    async def released(self, name: str, worker: str, reason: str) -> None:
        self._ready()
        self.db.execute(
            "UPDATE recordings SET worker = NULL, reason = ? WHERE name = ? AND worker = ?",
            (reason, name, worker),
        )

    async def expected(self, before: int, limit: int) -> list[Recording]:
        query = _ROW + " WHERE state = 'pending' AND created_at < ? ORDER BY created_at LIMIT ?"
        return [recording(row) for row in self.db.execute(query, (before, limit))]

    async def waiting(self) -> int:
        query = "SELECT count(*) FROM recordings WHERE state = 'pending'"
        return int(self.db.execute(query).fetchone()[0])

    def _ready(self) -> None:
        if self.unavailable:
            raise DatabaseUnavailable("the disk is full")

    def _end(
        self, name: str, worker: str, change: str, values: Sequence[object], said: Announcement
    ) -> StoredEvent | None:
        self._ready()
        body = msgspec.json.encode(said.body)
        self.db.execute("BEGIN IMMEDIATE")
        where = "name = ? AND worker = ? AND state = 'pending'"
        query = f"UPDATE recordings SET {change} WHERE {where}"
        if not self.db.execute(query, (*values, name, worker)).rowcount:
            self.db.execute("ROLLBACK")
            return None
        seq = self.db.execute(
            "INSERT INTO events (name, call_id, body) VALUES (?,?,?)",
            (said.name, said.call_id, body),
        ).lastrowid
        self.db.execute("COMMIT")
        assert seq is not None
        return StoredEvent(
            said.account_id,
            seq,
            said.category,
            said.name,
            said.subject,
            said.call_id,
            said.at,
            body,
        )


class FakeBus:
    """Remembers what it carried."""

    def __init__(self) -> None:
        self.published: list[StoredEvent] = []
        self.listeners: list[Listener] = []

    def publish(self, events: Sequence[StoredEvent]) -> None:
        self.published.extend(events)
        for listener in self.listeners:
            listener(events)

    def listen(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)
