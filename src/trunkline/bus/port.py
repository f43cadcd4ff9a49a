"""What may be asked of a bus, which only carries events that are committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from trunkline.events.stored import StoredEvent

Listener = Callable[[Sequence[StoredEvent]], None]
Wants = Callable[[str], bool]
"""Are events of this account of use to the listener now?"""


class Bus(Protocol):
    """Tells every listener of committed events, in the order of each account's numbers."""

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Hand the events on; never blocks and never fails."""

    def listen(self, listener: Listener, wants: Wants | None = None) -> Callable[[], None]:
        """Call ``listener`` with each batch from now on; returns the function that stops it.

        Accounts that it does not want may be left out where they cost something; None wants all.
        A listener that begins to want an account then reads what its log already has.
        """
