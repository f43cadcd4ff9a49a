"""A bus inside one process: publishing calls every listener, in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from trunkline.bus.port import Listener
from trunkline.calls.record import StoredEvent

log = structlog.get_logger()


class LocalBus:
    """``Bus`` for one process; use it from the event loop's thread only.

    Listeners are called in the order in which they began to listen. One that raises is logged and
    listens no more: the publisher and the other listeners never notice.
    """

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Hand the events to every listener, now."""
        if not events:
            return
        for mark, listener in tuple(self._listeners.items()):
            try:
                listener(events)
            except Exception:
                log.exception("bus.listener_dropped", listener=repr(listener))
                self._listeners.pop(mark, None)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each batch from now on; gives the function that stops it."""
        mark = object()
        self._listeners[mark] = listener

        def stop() -> None:
            self._listeners.pop(mark, None)

        return stop
