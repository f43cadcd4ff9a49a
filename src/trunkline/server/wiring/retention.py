"""Deleting what has expired, joined for the server and for the command line."""

from __future__ import annotations

from collections.abc import Callable

from trunkline.recordings.port import Store
from trunkline.server.clock import DeletingClock
from trunkline.server.settings import Settings
from trunkline.store.ports.retention import Retention
from trunkline.work.manage.music import remove_forgotten
from trunkline.work.upkeep.delete_expired import DeleteExpired, Kept


def deleting_clock(settings: Settings) -> DeletingClock:
    """By which time things are deleted."""
    return DeletingClock(settings.directory / "clock.json")


def delete_expired(
    settings: Settings, retention: Retention, store: Store, clock: Callable[[], int]
) -> DeleteExpired:
    kept = Kept(
        calls=settings.call_days,
        recordings=settings.recording_days,
        events=settings.event_days,
        journal=settings.journal_days,
    )
    spool = settings.directory / "engine" / "spool"

    def music() -> int:
        return remove_forgotten(settings.directory / "music", settings.max_call_seconds)

    return DeleteExpired(retention, store, spool, kept, clock, tidy_files=music)
