"""A bus inside one process: publishing calls every listener, in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from trunkline.bus.port import Listener, Wants
from trunkline.events.stored import StoredEvent

log = structlog.get_logger()


class LocalBus:
    """``Bus`` for one process; use it from the event loop's thread only.

    Listeners are called in the order in which they began to listen. One that raises is logged and
    removed: the publisher and the other listeners never notice.
    """

    def __init__(self) -> None:
        self._listeners: dict[object, tuple[Listener, Wants | None]] = {}

    def publish(self, events: Sequence[StoredEvent]) -> None:
        if not events:
            return
        for mark, (listener, _) in tuple(self._listeners.items()):
            try:
                listener(events)
            except Exception:
                log.exception("bus.listener_dropped", listener=repr(listener))
                self._listeners.pop(mark, None)

    def wants(self, account_id: str) -> bool:
        return any(wants is None or wants(account_id) for _, wants in self._listeners.values())

    def listen(self, listener: Listener, wants: Wants | None = None) -> Callable[[], None]:
        mark = object()
        self._listeners[mark] = (listener, wants)

        def stop() -> None:
            self._listeners.pop(mark, None)

        return stop
