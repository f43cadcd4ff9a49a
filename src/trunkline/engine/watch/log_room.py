"""Has the engine's log room for a new call? The engine decides that; here it is known, too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog

from trunkline.engine.commands.control_socket import RoomInLog
from trunkline.engine.port import EngineUnavailable

log = structlog.get_logger()

_EVERY = 1.0


class LogRoom:
    """Asks the engine once a second; in between, the disk itself says that it is full."""

    def __init__(
        self, file: Path, keep_free_mb: int, ask: Callable[[], Awaitable[RoomInLog]]
    ) -> None:
        """``ask`` raises EngineUnavailable; then what the engine said last counts."""
        self._folder, self._keep_free, self._ask = file.parent, keep_free_mb << 20, ask
        self.said = RoomInLog(True)

    @property
    def there(self) -> bool:
        return self.said.there and self._free() >= self._keep_free

    def _free(self) -> int:
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return self._keep_free  # the engine knows better
        return disk.f_bavail * disk.f_frsize if disk.f_blocks else self._keep_free

    async def watch(self) -> None:
        """Keep it known, until cancelled."""
        while True:
            with suppress(EngineUnavailable):
                self._hear(await self._ask())
            await asyncio.sleep(_EVERY)

    def _hear(self, now: RoomInLog) -> None:
        if now.there != self.said.there:
            (log.info if now.there else log.error)("engine.log_room", **now._asdict())
        self.said = now
