"""What may be asked of a bus: it only carries what is already committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from trunkline.calls.record import StoredEvent

Listener = Callable[[Sequence[StoredEvent]], None]


class Bus(Protocol):
    """Tells every listener of committed events, in the order of each account's numbers."""

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Hand the events on; never blocks and never fails."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each batch from now on; gives the function that stops it."""
