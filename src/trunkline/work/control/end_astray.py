"""Hang up legs that a transfer has led astray.

Whoever knows a dialog's Call-ID and both its tags may name it in Replaces. Asterisk (res_pjsip_refer.c)
checks neither whose dialog it is nor whether the REFER came in that very dialog. So legs of two accounts may
meet, and somebody may be left in silence, as if on hold for ever.
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from trunkline.engine.port import Engine, EngineUnavailable

log = structlog.get_logger()


class EndAstray:
    """The verb: ``hear`` takes legs, and ``run`` hangs them up until it is cancelled."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._legs: asyncio.Queue[str] = asyncio.Queue()

    def hear(self, leg_id: str) -> None:
        self._legs.put_nowait(leg_id)

    async def run(self) -> None:
        """With a dead engine the legs are gone anyway."""
        while True:
            leg_id = await self._legs.get()
            log.warning("leg.astray", leg_id=leg_id)
            with contextlib.suppress(EngineUnavailable):
                await self._engine.hang_up(leg_id)
