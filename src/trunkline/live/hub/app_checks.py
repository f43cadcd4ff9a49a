"""Apps that were disabled or deleted: what they have open is ended.

Tokens are looked at when they are shown. So each app that has something open is looked at every few seconds, once
for all its connections.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from trunkline.live.deps import AppGood

log = structlog.get_logger()


class OfApp(Protocol):
    """What an app has open."""

    def revoked(self) -> None:
        """The app may do nothing any more: close."""


class AppChecks:
    """A task runs only while there is something to look after."""

    def __init__(self, good: AppGood, seconds: float) -> None:
        self._good, self._seconds = good, seconds
        self._open: dict[str, dict[OfApp, None]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, app_id: str, one: OfApp) -> None:
        self._open.setdefault(app_id, {})[one] = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look())

    def remove(self, app_id: str, one: OfApp) -> None:
        """It is closed; doing it again does nothing."""
        others = self._open.get(app_id, {})
        others.pop(one, None)
        if not others:
            self._open.pop(app_id, None)

    async def _look(self) -> None:
        try:
            while self._open:
                await asyncio.sleep(self._seconds)
                for app_id in tuple(self._open):
                    await self._check(app_id)
        finally:
            self._task = None

    async def _check(self, app_id: str) -> None:
        try:
            good = await self._good(app_id)
        except Exception as error:  # the database, most likely: it is asked again
            log.warning("live.app_not_checked", app_id=app_id, error=repr(error))
            return
        for one in () if good else tuple(self._open.get(app_id, ())):
            try:
                one.revoked()
            except Exception:
                log.exception("live.revoke_failed", app_id=app_id)
