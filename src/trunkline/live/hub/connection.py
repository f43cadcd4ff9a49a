"""What the hub and its feeds ask of a connection, whatever its transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from trunkline.live.hub.wire import Encoding
from trunkline.live.limits import LiveLimits


class Connection(Protocol):
    """The hub writes events to it."""

    once: bool
    """Is an event that several bindings match sent once (Socket.IO, SSE), or once for each (Kazoo)?"""
    encoding: Encoding
    """The form in which ``write`` takes an event; call `Client.rewired` when it has changed."""
    write: Callable[[Any], None]
    """Takes each event; never blocks, never raises, and ignores what comes after the end."""

    def buffered(self) -> int:
        """How many bytes the peer has not taken yet."""

    def fell_behind(self, resume: int) -> None:
        """Too much is buffered: say ``resume after N`` and close. Its client is closed already."""

    async def room(self) -> None:
        """Return once the connection is not congested."""

    def failed(self) -> None:
        """An event could not be read or written: close, so that the client comes back."""


class Subscriber(Protocol):
    """All that a connection has subscribed to, as each of its feeds sees it."""

    connection: Connection
    limits: LiveLimits
    is_congested: bool
    clock: Callable[[], int]

    def check(self) -> None:
        """Write nothing more while too much waits for it, and close it if it makes no room for long."""
