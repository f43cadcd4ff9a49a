"""Deleting what has expired, joined for the server and for the command line."""

from __future__ import annotations

from trunkline.recordings.port import Store
from trunkline.server.clock import now
from trunkline.server.settings import Settings
from trunkline.store.ports.retention import Retention
from trunkline.work.upkeep.delete_expired import DeleteExpired, Kept


def delete_expired(settings: Settings, retention: Retention, store: Store) -> DeleteExpired:
    kept = Kept(
        calls=settings.call_days,
        recordings=settings.recording_days,
        events=settings.event_days,
        journal=settings.journal_days,
    )
    spool = settings.directory / "engine" / "spool"
    return DeleteExpired(retention, store, spool, kept, now)
