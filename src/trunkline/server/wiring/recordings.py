"""Where recordings are kept, as the settings want it."""

from __future__ import annotations

from trunkline.recordings.disk import DiskStore
from trunkline.recordings.port import Store
from trunkline.server.settings import Settings


def recording_store(settings: Settings) -> Store:
    """The data directory's finished recordings."""
    return DiskStore(settings.directory / "recordings")
