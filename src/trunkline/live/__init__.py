"""The event socket: Socket.IO and raw WebSocket over one log."""

from trunkline.live.deps import LiveDeps, LiveLimits
from trunkline.live.door import Live, build_live

__all__ = ["Live", "LiveDeps", "LiveLimits", "build_live"]
