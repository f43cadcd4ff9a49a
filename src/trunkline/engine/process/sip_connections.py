"""How many SIP connections the engine has over TCP and TLS, of which it can have only so many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from trunkline.engine.process import taken_ports

log = structlog.get_logger()

MOST = 1_010
"""pjproject waits on 1,024 descriptors (PJ_IOQUEUE_MAX_HANDLES in Debian's build), of which Asterisk needs 14 (measured).

One more is accepted and closed at once: no phone that comes by TCP or TLS then can register.
"""
MANY = MOST * 8 // 10
_EVERY = 10.0


class SipConnections:
    """Counts them now and then; says so in the log when they are many, and when they are not any more."""

    def __init__(self, ports: Iterable[int]) -> None:
        self._ports = frozenset(ports)
        self.open = 0
        self._told = False

    async def run(self) -> None:
        while True:
            self.take(await asyncio.to_thread(taken_ports.connections, self._ports))
            await asyncio.sleep(_EVERY)

    def take(self, number: int) -> None:
        self.open = number
        if (number >= MANY) != self._told:
            self._told = not self._told
            say = log.warning if self._told else log.info
            say("sip.connections", open=number, most=MOST, many=self._told)
