"""Which trunks are up: the carrier answers OPTIONS and, where the trunk registers, accepts that.

OPTIONS go to a contact of their own (``config/trunks.py``); ARI has an event for each of its changes. Only
AMI has events for outbound registrations, so the control socket is asked for those.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from trunkline.engine.commands.control_socket import Control
from trunkline.engine.config.trunks import probe
from trunkline.engine.port import EngineUnavailable, OnSignal, Trunk, TrunkChanged
from trunkline.events.state import TrunkReason

log = structlog.get_logger()

_ASK_EVERY = 5.0
"""Seconds between two looks at the registrations: one command tells of all of them."""
_ANSWERS = {"Reachable": True, "Unreachable": False}


class TrunkWatch:
    """Tells ``on_signal`` of each trunk's state as soon as it is known, and of each change."""

    def __init__(
        self,
        control: Control,
        on_signal: OnSignal,
        certificate_trouble: Callable[[str, int], str | None],
    ) -> None:
        """``certificate_trouble`` says why the certificate at HOST, PORT is refused, if it is; it blocks."""
        self._control = control
        self._on_signal = on_signal
        self._certificate_trouble = certificate_trouble
        self._over_tls: dict[str, tuple[str, int]] = {}
        self._certificates: dict[str, str | None] = {}
        self._registers: dict[str, bool] = {}
        self._answers: dict[str, bool] = {}
        self._registered: Mapping[str, bool | None] = {}
        self._told: dict[str, bool] = {}
        self._wake = asyncio.Event()

    def keep(self, trunks: Iterable[Trunk]) -> None:
        """Watch these trunks from now on, and no others; nothing is told of a trunk that goes."""
        trunks = list(trunks)
        self._registers = {trunk.endpoint: trunk.register for trunk in trunks}
        self._over_tls = {
            trunk.endpoint: (trunk.host, trunk.port) for trunk in trunks if trunk.transport == "tls"
        }
        for known in (self._answers, self._told, self._certificates):
            for gone in known.keys() - self._registers.keys():
                del known[gone]
        self._wake.set()

    def watches(self, endpoint: str) -> bool:
        return endpoint in self._registers

    def contact_changed(self, endpoint: str, contact: Mapping[str, Any], at: int) -> None:
        """Take in the ``contact_info`` of a ContactStatusChange; those of other contacts are ignored."""
        answers = _ANSWERS.get(contact.get("contact_status", ""))
        if (
            endpoint in self._registers
            and contact["aor"] == probe(endpoint)
            and answers is not None
        ):
            self._answers[endpoint] = answers
            self._certificates.pop(endpoint, None)
            if endpoint in self._over_tls and not answers:
                self._wake.set()  # it is told once the certificate has been looked at
            else:
                self._tell(endpoint, at)

    def connected(self) -> None:
        """Forget every state after a time without events: each is asked for, and told, again."""
        self._answers.clear()
        self._certificates.clear()
        self._registered = {}
        self._told.clear()
        self._wake.set()

    async def look(self) -> None:
        """Ask for the states that no event has told yet. Raises EngineUnavailable."""
        await self._look_at_registrations()
        for endpoint in self._registers.keys() - self._answers.keys():
            found = await self._control.contacts(probe(endpoint))
            # An event may have come meanwhile, and be newer.
            if found and found[0] is not None and endpoint in self._registers:
                self._answers.setdefault(endpoint, found[0])
                self._tell(endpoint, _now())
        await self._look_at_certificates()

    async def run(self) -> None:
        """Look again and again, until cancelled: at registrations, and for states that are not known yet."""
        while True:
            with contextlib.suppress(EngineUnavailable):
                await self.look()
            # Not wait_for: before Python 3.12 it loses a cancellation that comes with what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ASK_EVERY):
                    await self._wake.wait()
            self._wake.clear()

    async def _look_at_registrations(self) -> None:
        if any(self._registers.values()):
            self._registered = await self._control.registrations()
            for endpoint in self._registers:
                self._tell(endpoint, _now())

    async def _look_at_certificates(self) -> None:
        """Asterisk does not tell why a carrier does not answer: of a certificate's trouble, only its log knows."""
        for endpoint, (host, port) in list(self._over_tls.items()):
            if self._answers.get(endpoint) is not False or endpoint in self._certificates:
                continue
            why = await asyncio.to_thread(self._certificate_trouble, host, port)
            if self._answers.get(endpoint) is False:
                self._certificates[endpoint] = why
                if why:
                    log.warning("trunk.certificate_refused", trunk=endpoint, host=host, why=why)
                self._tell(endpoint, _now())

    def _tell(self, endpoint: str, at: int) -> None:
        up, reason = self._state(endpoint)
        if up is not None and up != self._told.get(endpoint):
            self._told[endpoint] = up
            self._on_signal(TrunkChanged(endpoint, up, at, reason))

    def _state(self, endpoint: str) -> tuple[bool | None, TrunkReason | None]:
        answers = self._answers.get(endpoint)
        if answers is False:
            if endpoint in self._over_tls and endpoint not in self._certificates:
                return None, None
            refused = self._certificates.get(endpoint)
            return False, "CERTIFICATE_REFUSED" if refused else "UNREACHABLE"
        registered = self._registered.get(endpoint) if self._registers[endpoint] else True
        if registered is False:
            return False, "REGISTRATION_REJECTED"
        return (True if answers and registered else None), None


def _now() -> int:
    return time.time_ns() // 1000
