"""Which Asterisk runs: finding it, fetching it and removing it, as the settings want it."""

from __future__ import annotations

from collections.abc import Callable

from trunkline.engine.install import choose
from trunkline.engine.install.choose import Installed, Progress, Status
from trunkline.engine.process.examine import engine_pid
from trunkline.server.settings import Settings, default_cache
from trunkline.server.wiring.engine import more_modules

__all__ = ["Installed", "Progress", "found_or_installed", "remove", "running_pid", "status"]


def found_or_installed(
    settings: Settings,
    progress: Progress,
    warn: Callable[[str], None] = choose.log_stale_index,
    upgrade: bool = False,
) -> Installed:
    """The Asterisk that will do, or one that is fetched now; with ``upgrade`` it is always fetched.

    Our recorder is among its modules. Raises EngineInstallError.
    """
    cache, more = default_cache(), more_modules(settings)
    mirror, suite, stale = (
        settings.engine_mirror,
        settings.engine_suite,
        settings.engine_stale_index,
    )
    found = None if upgrade else choose.find(cache, settings.engine_prefix, more)
    if found is None:
        found = choose.install(
            cache,
            mirror=mirror,
            suite=suite,
            stale_index=stale,
            progress=progress,
            upgrade=upgrade,
            more=more,
            warn=warn,
        )
    return choose.with_recorder(
        found, cache, mirror=mirror, suite=suite, stale_index=stale, progress=progress, warn=warn
    )


def status(settings: Settings) -> Status:
    """Which one would run, and what the cache holds; raises EngineInstallError."""
    return choose.status(default_cache(), settings.engine_prefix, more_modules(settings))


def remove() -> int:
    """Delete all that were fetched; returns the bytes. Raises EngineInstallError while one runs."""
    return choose.remove(default_cache())


def running_pid(settings: Settings) -> int | None:
    """The process of the engine that runs on the data directory."""
    return engine_pid(settings.directory / "engine")
