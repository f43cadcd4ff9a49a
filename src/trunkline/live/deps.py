"""What the event sockets are built from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trunkline.bus.port import Bus
from trunkline.db.port import Events, Tokens


@dataclass(frozen=True)
class LiveLimits:
    """What one connection may use; past a limit it is told so, past the buffer it is closed."""

    subscriptions: int = 100
    """Bindings on one connection."""
    buffered_events: int = 1000
    """Events waiting for a reader; one more and the connection is closed (4008)."""
    frame_bytes: int = 65_536
    """The longest message that a client may send."""
    frames_per_second: int = 100
    """Messages that a client may send within a second; more are answered with an error."""
    replay_chunk: int = 500
    """Events read from the database at a time during a replay."""
    gather_seconds: float = 0.02
    """How long a replay waits for more subscribes, so that all are replayed as one, in order."""
    stall_seconds: float = 30.0
    """How long a closed connection has to take its close frame before it is let go."""


@dataclass(frozen=True)
class LiveDeps:
    """The edges and settings of the event sockets. ``clock`` gives unix microseconds."""

    events: Events
    tokens: Tokens
    bus: Bus
    clock: Callable[[], int]
    cors_origins: tuple[str, ...] = ("*",)
    limits: LiveLimits = field(default_factory=LiveLimits)
