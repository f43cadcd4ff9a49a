"""Opens the database that the settings name, and the bus that belongs to it.

Drivers are imported only where they are needed: an installation on SQLite has no use for those of
PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stamina
import structlog

from trunkline.bus.local import LocalBus
from trunkline.bus.port import Bus
from trunkline.engine.config import realtime
from trunkline.engine.config.realtime import PostgresqlViews
from trunkline.server.setting_forms import SettingsError
from trunkline.server.settings import Settings
from trunkline.server.wiring.engine import views_in_postgresql
from trunkline.store.ports.database import Database, DatabaseUnavailable
from trunkline.store.secrets import InstallationKey

if TYPE_CHECKING:
    from trunkline.bus.postgres import PostgresBus
    from trunkline.store.copy.port import CopySource, CopyTarget
    from trunkline.store.postgres.database import PostgresDatabase

log = structlog.get_logger()

PATIENCE = 60.0
"""For so many seconds a start waits for a PostgreSQL that is starting, too."""
PREDECESSOR = 5.0
"""For so many seconds a start waits for the previous main server to end."""


@dataclass(frozen=True)
class DatabaseParts:
    """An open database, and the parts that differ with its kind."""

    db: Database
    bus: Bus
    run_bus: Callable[[], Coroutine[Any, Any, None]] | None
    """Runs for as long as the bus is to work; None: the bus needs nothing that runs."""
    bus_ready: asyncio.Event | None
    """Set once the bus hears everything; nothing may be written before."""
    views: PostgresqlViews | None
    """What the engine reads; None: the SQLite file."""
    caches: tuple[str, ...]
    """What the engine caches of the views, and has to forget when they change."""
    hears_events: Callable[[], bool] = lambda: True
    """Does the bus hear what other processes commit?"""

    @property
    def is_shared(self) -> bool:
        """May other machines use it, too?"""
        return self.views is not None


def open_parts(settings: Settings, key: InstallationKey) -> DatabaseParts:
    """Open the database, migrate it if need be, and prepare the engine's access to it. Blocks.

    Waits up to ``PATIENCE`` seconds for a PostgreSQL that does not answer. Raises DatabaseUnusable, and
    DatabaseUnavailable when it did not answer in that time.
    """
    if not isinstance(settings.place, str):
        from trunkline.store.sqlite import open_database

        return DatabaseParts(open_database(settings.place, key), LocalBus(), None, None, None, ())
    return _on_postgresql(settings.place, key)


def open_beside(settings: Settings, key: InstallationKey) -> DatabaseParts:
    """Open the main server's PostgreSQL as it is: nothing is migrated. Blocks.

    Waits as ``open_parts`` does. Raises SettingsError where the settings name no PostgreSQL,
    DatabaseUnusable and DatabaseUnavailable.
    """
    if not isinstance(settings.place, str):
        raise SettingsError(
            "trunkline api needs PostgreSQL, which the setting database names: "
            "a SQLite file is for one process, trunkline up"
        )
    from trunkline.store.postgres.database import PostgresDatabase
    from trunkline.store.postgres.schema import check_key, refuse_other_schema

    url = settings.place
    for attempt in _retries():
        with attempt:
            refuse_other_schema(url)
            check_key(url, key)
    db = PostgresDatabase(url, key)
    bus = _bus(url, db)
    return DatabaseParts(db, bus, bus.run, bus.ready, None, (), lambda: bus.hears)


@contextlib.asynccontextmanager
async def as_main(settings: Settings, node_id: str) -> AsyncIterator[None]:
    """Be the one main server of the database, and the one server of the node.

    When another server becomes either, the block inside is cancelled. Raises DatabaseTaken, at once or
    then, and DatabaseUnavailable at once. A SQLite file needs none of it: the lock of its data directory is
    enough.
    """
    if not isinstance(settings.place, str):
        yield
        return
    from trunkline.store.postgres.advisory_lock import DatabaseTaken, Sole

    sole = Sole(settings.place, node_id)
    async for attempt in _retries().__aiter__():
        with attempt:
            await sole.take(PREDECESSOR)
    keeping = asyncio.create_task(sole.keep())
    inside = asyncio.current_task()
    assert inside is not None
    keeping.add_done_callback(lambda task: task.cancelled() or inside.cancel())
    try:
        yield
    except BaseException:
        if not isinstance(taken := _raised_by(keeping), DatabaseTaken):
            raise
        inside.uncancel()
        raise taken from None
    finally:
        keeping.cancel()
        sole.close()


def _raised_by(task: asyncio.Task[None]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _retries() -> Any:
    return stamina.retry_context(on=_may_pass, attempts=None, timeout=PATIENCE, wait_max=2.0)


def _may_pass(error: Exception) -> bool:
    """Is it worth waiting? Where PostgreSQL refuses to let us in (SQLSTATE 28, 3D), it goes on refusing."""
    refused = str(getattr(error.__cause__, "sqlstate", None))[:2] in ("28", "3D")
    return isinstance(error, DatabaseUnavailable) and not refused


def _on_postgresql(url: str, key: InstallationKey) -> DatabaseParts:
    from trunkline.store.postgres import open_database as open_postgresql
    from trunkline.store.postgres.schema import warn_if_not_durable

    for attempt in _retries():
        with attempt:
            warn_if_not_durable(url)
            db = open_postgresql(url, key)
            views = views_in_postgresql(url, key)
    bus = _bus(url, db)
    return DatabaseParts(db, bus, bus.run, bus.ready, views, realtime.CACHES, lambda: bus.hears)


def _bus(url: str, db: PostgresDatabase) -> PostgresBus:
    from trunkline.bus.postgres import PostgresBus
    from trunkline.store.postgres.events import CHANNEL

    return PostgresBus(url, CHANNEL, db.events.newest, db.events.after)


@contextlib.contextmanager
def copy_source(file: Path) -> Iterator[CopySource]:
    """The SQLite file that is copied from; raises DatabaseUnavailable and DatabaseUnusable."""
    from trunkline.store.copy.source import SqliteSource

    with contextlib.closing(SqliteSource(file)) as source:
        yield source


@contextlib.contextmanager
def copy_target(url: str) -> Iterator[CopyTarget]:
    """The PostgreSQL database that is copied into; raises as ``copy_source``."""
    from trunkline.store.copy.target import PostgresTarget

    with contextlib.closing(PostgresTarget(url)) as target:
        yield target
