"""One engine with its configuration: written before each start, compared with that of an adopted engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from trunkline.engine.asterisk import Asterisk
from trunkline.engine.config import configuration
from trunkline.engine.config.configuration import EngineConfiguration, write_private
from trunkline.engine.config.credentials import Credentials, with_free_port
from trunkline.engine.install.choose import Installed
from trunkline.engine.port import Trunk
from trunkline.engine.process import identity
from trunkline.engine.process.supervisor import Supervisor

log = structlog.get_logger()

_GRACE = 5.0
"""Seconds after which an engine that was asked to end is killed."""


class EngineLife:
    """Starts the engine in ``home`` or adopts it, and starts it anew when its settings are old.

    ``configured`` gives what its files are written from. ``before_start`` is called before they are
    written, and may raise. ``trunks`` may raise ``unavailable``: then the trunks stay as they were.
    """

    def __init__(
        self,
        installed: Installed,
        home: Path,
        engine: Asterisk,
        credentials: Credentials,
        configured: Callable[[Credentials], EngineConfiguration],
        before_start: Callable[[], None],
        trunks: Callable[[], Awaitable[Iterable[Trunk]]],
        unavailable: type[Exception],
        on_died: Callable[[float], Awaitable[None]],
    ) -> None:
        self._home, self._engine, self._credentials = home, engine, credentials
        self._configured, self._before_start = configured, before_start
        self._trunks, self._unavailable = trunks, unavailable
        self._supervisor = Supervisor(installed, home, self._configure, on_died, engine.answers)
        self.outdated = False
        """Does the engine run with other settings than those with which it would be started now?"""

    @property
    def restarts(self) -> int:
        """How often the engine was started again after an end that nobody had asked for."""
        return self._supervisor.restarts

    async def start(self) -> None:
        """As ``Supervisor.start``."""
        await self._supervisor.start()

    async def restart_if_changed(self, idle: Callable[[], Awaitable[bool]]) -> None:
        """An adopted engine has the settings of its start: start it again as soon as it is ``idle``."""
        wanted = configuration.digest(self._configured(self._credentials))
        self.outdated = self._digest_file().read_text() != wanted
        if not self.outdated:
            return
        if not await idle():
            log.warning("engine.other_settings", mend="it starts anew when no call is live")
            return
        await self.stop()
        await self.start()
        self.outdated = False

    async def stop(self) -> None:
        await self._supervisor.stop(_GRACE)

    async def leave(self) -> None:
        await self._supervisor.leave()

    def open_files(self) -> frozenset[Path] | None:
        pid = self._supervisor.pid
        return None if pid is None else identity.open_files(pid)

    async def _configure(self) -> None:
        """Runs before each start, when nobody reads the files."""
        self._before_start()
        self._credentials = with_free_port(self._home, self._credentials)
        self._engine.move(self._credentials.port, self._credentials.ami_port)
        digest = configuration.write(self._configured(self._credentials))
        await self._write_trunks()
        write_private(self._digest_file(), digest)

    async def _write_trunks(self) -> None:
        try:
            self._engine.write_trunks(await self._trunks())
        except self._unavailable as error:
            if not (self._home / "etc" / configuration.TRUNKS_FILE).exists():
                raise
            log.warning("engine.trunks_as_they_were", error=str(error))

    def _digest_file(self) -> Path:
        return self._home / "configured"
