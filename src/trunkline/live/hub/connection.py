"""A connection, as the hub and its feeds see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from trunkline.live.hub.wire import Encoding
from trunkline.live.limits import LiveLimits


class Sink(Protocol):
    """A connection as the hub sees it."""

    once: bool
    """An event that several bindings match is sent once (Socket.IO, SSE), or once for each."""
    encoding: Encoding
    """The form in which ``write`` wants an event; `Client.rewired` when it has changed."""
    write: Callable[[Any], None]
    """Gets each event; never blocks, never raises, and ignores what comes after the end."""

    def buffered(self) -> int:
        """How many bytes the peer has not taken yet."""

    def fell_behind(self, resume: int) -> None:
        """Too much is buffered: say ``resume after N`` and close. Its client is closed already."""

    async def room(self) -> None:
        """Return once the connection is not congested."""

    def replay_failed(self) -> None:
        """An event could not be read or written: close, so that the client comes back."""


class Reader(Protocol):
    """The connection that a feed is of."""

    sink: Sink
    limits: LiveLimits
    is_congested: bool
    clock: Callable[[], int]

    def check(self) -> None:
        """Cut it off if too much waits for it."""
