"""How the running system is doing: what health checks and metrics are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """One reading. Counters only grow while the process lives; the rest goes up and down."""

    engine_up: bool
    """Can the engine take calls now?"""
    draining: bool
    """Is the server being stopped? Then no new call is taken."""
    log_lag_seconds: float
    """Age of the oldest log row that is not yet taken in; 0 when all of them are."""
    calls_live: int
    recordings_waiting: int
    """Recordings of ended calls that are not yet made."""
    registrations_online: int
    """Devices that are registered and answer."""
    events_total: int
    """Events stored since the process started."""
    engine_restarts: int
    """How often the engine died and was started again since the process started."""
    event_connections: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Clients connected for events, by transport (``socket_io``, ``websocket``, ``sse``)."""


class VitalSigns(Protocol):
    """Whoever knows how the system is doing."""

    def read(self) -> Vitals:
        """A fresh reading; costs no more than point reads, and never fails."""
