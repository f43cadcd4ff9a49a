"""Which calls have been in which bridge: this is how we notice that legs of two calls have met."""

from __future__ import annotations

from collections.abc import Iterable


class Bridges:
    """May name calls that have left a bridge, or are over: the reader looks at the call itself."""

    def __init__(self) -> None:
        self._calls: dict[str, set[str]] = {}
        self._bridges: dict[str, set[str]] = {}

    def entered(self, call_id: str, bridge: str) -> None:
        self._calls.setdefault(bridge, set()).add(call_id)
        self._bridges.setdefault(call_id, set()).add(bridge)

    def calls_in(self, bridge: str) -> Iterable[str]:
        """The calls that have had a leg there, in the order of their ids."""
        return sorted(self._calls.get(bridge, ()))

    def forget(self, call_id: str) -> None:
        for bridge in self._bridges.pop(call_id, ()):
            calls = self._calls[bridge]
            calls.discard(call_id)
            if not calls:
                del self._calls[bridge]
