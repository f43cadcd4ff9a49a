"""What a connection, and an app, may use of the event sockets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveLimits:
    """What connections may use. Past a limit they are told so; one that reads too slowly is cut."""

    subscriptions: int = 100
    """Bindings on one connection."""
    buffered_bytes: int = 524_288
    """Bytes waiting for a slow reader; where there are more at the next event, nothing more is written."""
    behind_seconds: float = 5.0
    """How long a reader may take to make room once nothing more is written; then it is cut off (4008)."""
    frame_bytes: int = 65_536
    """The longest message that a client may send."""
    frames_per_second: int = 100
    """Messages that a client may send within a second; more are answered with an error."""
    replay_chunk: int = 100
    """Events read from the database at a time during a replay."""
    gather_seconds: float = 0.02
    """How long a replay waits for more subscribes, so that all are replayed as one, in order."""
    stall_seconds: float = 30.0
    """How long a closed connection has to take the rest before it is let go."""
    ping_seconds: float = 20.0
    """How often a WebSocket is pinged; after two without a sign of life it is let go."""
    keep_alive_seconds: float = 15.0
    """How often a stream of server-sent events gets a comment."""
    sign_in_seconds: float = 60.0
    """How long a socket may be open without having shown a token."""
    connections_per_app: int = 10_000
    """Connections of one app; the next is closed (4029)."""
    streams_per_key: int = 1_000
    """Streams of one key; the next is refused."""
    buffered_bytes_per_app: int = 67_108_864
    """Bytes that may wait for all slow readers of one app, or key, together; each has an even share."""
    subscriptions_per_app: int = 100_000
    """Bindings of one app on all its connections."""
    commands_per_second: int = 200
    """Messages of one app on all its connections within a second."""
