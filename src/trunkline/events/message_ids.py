"""Message ids: unix microseconds, each given once, whatever the event is about."""

from __future__ import annotations

from collections.abc import Callable


class MessageIds:
    """One for the whole server: ``message_ids(at)`` gives the next ``Msg-ID``.

    It is the event's time where that is later than all given before, else one more than the last.
    It begins at the clock's time, past all that earlier runs have given.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._last = clock()

    def __call__(self, at: int) -> int:
        self._last = max(self._last + 1, at)
        return self._last
