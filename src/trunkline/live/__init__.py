"""The event sockets: Socket.IO, raw WebSocket and server-sent events over one log."""

from trunkline.live.deps import LiveDeps
from trunkline.live.door import Live, build_live
from trunkline.live.limits import LiveLimits

__all__ = ["Live", "LiveDeps", "LiveLimits", "build_live"]
