"""Which Asterisk runs: finding it, fetching it and removing it, as the settings want it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from trunkline.engine.install import choose
from trunkline.engine.install.choose import Installed, Progress, Source, Status
from trunkline.engine.process.examine import engine_pid
from trunkline.server.settings import Settings, default_cache
from trunkline.server.wiring.engine import more_modules

__all__ = ["Installed", "Progress", "found_or_installed", "remove", "running_pid", "status"]


def found_or_installed(
    settings: Settings,
    progress: Progress,
    warn: Callable[[str], None] | None = None,
    upgrade: bool = False,
) -> Installed:
    """The Asterisk that will do, or one that is fetched now; with ``upgrade`` it is always fetched.

    Our recorder is among its modules. ``warn`` is told of an index past its date; else the log is. Raises
    EngineInstallError.
    """
    cache, more = default_cache(), more_modules(settings)
    source = Source(
        mirror=settings.engine_mirror,
        suite=settings.engine_suite,
        stale_index=settings.engine_stale_index,
        progress=progress,
    )
    if warn is not None:
        source = msgspec.structs.replace(source, warn=warn)
    found = None if upgrade else choose.find(cache, settings.engine_prefix, more)
    if found is None:
        found = choose.install(cache, source, upgrade=upgrade, more=more)
    return choose.with_recorder(found, cache, source)


def status(settings: Settings) -> Status:
    """Which one would run, and what the cache holds; raises EngineInstallError."""
    return choose.status(default_cache(), settings.engine_prefix, more_modules(settings))


def remove() -> int:
    """Delete all that were fetched; returns the bytes. Raises EngineInstallError while one runs."""
    return choose.remove(default_cache())


def running_pid(settings: Settings) -> int | None:
    """The process of the engine that runs on the data directory."""
    return engine_pid(settings.directory / "engine")
