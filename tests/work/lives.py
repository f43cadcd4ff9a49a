"""Lives of a CallLog on one real database: each ends at once, as by ``kill -9``."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from at_once import at_once
from calls.replay import NODE, RecordedUser, Scenario
from db.making import KEY, office
from trunkline.bus.local import LocalBus
from trunkline.calls.cel import CelRow, LogPosition
from trunkline.engine.port import AnsweredInSip
from trunkline.events.message_ids import MessageIds
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import DatabaseUnavailable, EndpointOwner
from trunkline.store.sqlite import open_database
from trunkline.work.follow.follow_log import CallLog


class Failing:
    """Commits that fail for a time."""

    def __init__(self, calls: Any, failures: int) -> None:
        self._calls, self.left = calls, failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calls, name)

    async def commit(self, batch: Any) -> Any:
        if self.left:
            self.left -= 1
            raise DatabaseUnavailable("disk full")
        return await self._calls.commit(batch)


class Part(msgspec.Struct):
    """Some rows of the log."""

    rows: list[CelRow]
    position: LogPosition
    skipped: int = 0


class Directory:
    """The directory as it was when the scene was recorded."""

    def __init__(self, scene: Scenario) -> None:
        self._recorded = scene.recorded

    async def endpoint_owner(self, endpoint: str) -> EndpointOwner | None:
        return self._recorded.owners.get(endpoint)

    async def user_owner(self, user_id: str) -> RecordedUser | None:
        return self._recorded.users.get(user_id)


class Recorded:
    """The real database, but for the directory."""

    def __init__(self, database: Any, scene: Scenario) -> None:
        self._database = database
        self.directory = Directory(scene)
        self.calls = database.calls
        self.events = database.events


def prepared(folder: Path, scene: Scenario) -> Path:
    """A database that has the scene's account; made once for each folder and scene."""
    path = folder / f"{scene.name}.db"
    if not path.exists():
        office(path)
        account = next(iter(scene.recorded.owners.values())).account_id
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE accounts SET id = ?", (account,))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    return path


class Lives:
    """One database file, and one life after the other on it."""

    def __init__(self, template: Path, path: Path, scene: Scenario) -> None:
        shutil.copy(template, path)
        self.path, self.scene = path, scene
        self.account = next(iter(scene.recorded.owners.values())).account_id
        self.database = open_database(path, KEY)
        self.clock = itertools.count(scene.rows[0].time, 3).__next__
        self.published: list[StoredEvent] = []
        self.begin()

    def begin(self) -> CallLog:
        """A new life: nothing is left but the database."""
        self.db = Recorded(self.database, self.scene)
        bus = LocalBus()
        bus.listen(self.published.extend)
        self.log = CallLog(self.db, bus, NODE, self.clock, MessageIds(self.clock))  # type: ignore[arg-type]
        at_once(self.log.load())
        return self.log

    @property
    def position(self) -> int:
        """How many rows the database has taken in."""
        reached = at_once(self.log.position())
        return reached.offset if reached else 0

    def hear(self, signals: Sequence[Any] | None = None) -> None:
        """All signals are faster than the log, unless told otherwise."""
        for signal in signals if signals is not None else [one for _, one in self.scene.signals]:
            self.log.hear(signal)

    async def take(self, end: int) -> None:
        """Take in the rows up to ``end`` as one part, from where the database stands."""
        rows = self.scene.rows[self.position : end]
        await self.log.take(Part(rows, LogPosition(1, end)))

    async def one_by_one(self, end: int | None = None) -> None:
        """Take in the rows up to ``end``, each as a part of its own."""
        for reached in range(self.position + 1, (end or len(self.scene.rows)) + 1):
            await self.take(reached)

    async def engine_dies(self) -> None:
        """Where the scene ends so."""
        for death in self.scene.deaths:
            await self.log.engine_died(death.at)

    @property
    def events(self) -> list[StoredEvent]:
        """The account's whole log."""
        return at_once(self.database.events.after(self.account, 0, 1000))

    async def history(self) -> list[Any]:
        """All records."""
        page = await self.database.calls.page(self.account, 0, 1 << 60, 100, 1)
        assert page.total == len(page.rows)
        return list(page.rows)


def codes(scene: Scenario) -> list[AnsweredInSip]:
    """The scene's SIP codes."""
    return [signal for _, signal in scene.signals if isinstance(signal, AnsweredInSip)]


def told(events: list[StoredEvent]) -> list[tuple[str, str]]:
    return [(event.name, event.subject) for event in events]


def gapless(lives: Lives) -> bool:
    """Stored from 1 on without a gap, under unique message ids, and published just so."""
    events = lives.events
    ids = [msgspec.json.decode(event.body)["Msg-ID"] for event in events]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len(set(ids)) == len(ids)
    return told(lives.published) == told(events)


Living = Callable[[str], Awaitable[Lives]]
"""Begins a life in which the scene of that name is asked for."""
