"""The SIP trace, put together: the socket, the sorting by calls, and the writing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from trunkline.engine.config.configuration import CaptureAddress
from trunkline.engine.install.choose import Installed
from trunkline.engine.listen.sip_capture import SipCapture, can_capture, is_local
from trunkline.server.setting_forms import address
from trunkline.server.settings import Settings
from trunkline.sip.dialogs import SipDialogs
from trunkline.store.ports.database import Database
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.follow.trace_sip import TraceSip

log = structlog.get_logger()


class SipTrace:
    """Brings the SIP messages of calls from the engine to the database; does nothing if that is switched off."""

    def __init__(
        self,
        settings: Settings,
        installed: Installed,
        home: Path,
        db: Database,
        calls: CallLog,
        clock: Callable[[], int],
        deleting: Callable[[], int],
    ) -> None:
        """``deleting`` is the clock by which messages are deleted."""
        self._enabled, self._modules = settings.sip_trace, installed.modules
        self._capture = SipCapture(home)
        dialogs = SipDialogs(_ports(settings), is_local)
        self._trace = TraceSip(
            db.sip_messages, db.directory.trunks, dialogs, clock, settings.sip_trace_days, deleting
        )
        self.hear = self._trace.hear
        if self._enabled:
            calls.on_change = self._trace.follow

    @property
    def address(self) -> CaptureAddress | None:
        """Where the engine is to send SIP messages; None: nowhere."""
        return self._capture.address

    def open(self) -> None:
        """Listen, before the engine is configured."""
        if not self._enabled:
            return
        if not can_capture(self._modules):
            log.warning("sip_trace.off", reason="this Asterisk has no res_hep_pjsip")
            return
        try:
            self._capture.open()
        except OSError as error:
            log.warning("sip_trace.off", reason=str(error))

    async def run(self) -> None:
        try:
            await self._trace.run(self._capture.messages() if self.address else None)
        finally:
            self._capture.close()

    def counts(self) -> tuple[int, int]:
        """How many messages were kept, and how many were dropped, since the process started."""
        return self._trace.stored, self._trace.dropped + self._capture.dropped


def _ports(settings: Settings) -> set[int]:
    set_ones = [(settings.sip, "sip"), (settings.sip_tls, "sip_tls")]
    return {address(text, name)[1] for text, name in set_ones if text}
