"""How the system is doing: the readings behind health checks and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """One reading. Counters only grow while the process lives; the rest goes up and down."""

    engine_up: bool | None
    """Can the engine take calls now? None: this process has no engine, and says nothing of calls."""
    draining: bool
    """Is the server being stopped? Then it takes no new call."""
    has_room: bool = True
    """Is there room on the disk for a call's events? Else new calls are refused."""
    refused_for_room: int = 0
    """Calls that were refused for that since the engine started."""
    main_trouble: str | None = None
    """What is wrong with the main server, which has the engine ("": nothing); None: this is it."""
    hears_events: bool = True
    """Do new events come to this process now?"""
    calls_stored: bool = True
    """Was the last change of a call stored? A database that is full may still take smaller things."""
    log_lag_seconds: float = 0.0
    """Age of the oldest log row that is not yet taken in; 0 when all of them are."""
    calls_live: int = 0
    recordings_waiting: int = 0
    """Recordings of ended calls that are not yet made."""
    registrations_online: int = 0
    """Devices that are registered and answer."""
    sip_connections: int = 0
    """SIP connections over TCP and TLS, as they were seconds ago."""
    events_total: int = 0
    """Events stored since the process started."""
    engine_restarts: int = 0
    """How often the engine died and was started again since the process started."""
    sip_messages_total: int = 0
    """SIP messages of calls kept since the process started."""
    sip_messages_dropped: int = 0
    """Those that were not kept, for lack of room or time."""
    event_connections: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Clients connected for events, by transport (``socket_io``, ``websocket``, ``sse``)."""
    connections_refused: int = 0
    """Connections, and requests, that were refused, or let go for others, since their address has too many."""


class VitalSigns(Protocol):
    async def read(self) -> Vitals:
        """A fresh reading; costs no more than point reads, and never fails."""
