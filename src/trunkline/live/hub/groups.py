"""Who gets an event: an account's subscribers, grouped by binding and by the form they read.

Delivering costs one write for each subscriber and eight look-ups for each event, however many
bindings there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from trunkline.events.bindings import Binding, RoutingKey, candidates
from trunkline.live.hub.wire import Encoding

Member = TypeVar("Member")
Write = Callable[[Any], None]


class SubscriberGroup(Generic[Member]):
    """All subscribers with the same binding, as it is written."""

    __slots__ = ("_fast", "_ready", "binding", "slow")

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.slow: dict[Member, None] = {}
        self._fast: dict[Encoding, dict[Member, Write]] = {}
        self._ready: dict[Encoding, tuple[Write, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.slow or self._fast)

    def join(self, member: Member, encoding: Encoding, write: Write) -> None:
        """From now on ``write`` gets each matching event in that form."""
        self._fast.setdefault(encoding, {})[member] = write
        self._ready.pop(encoding, None)

    def leave(self, member: Member, encoding: Encoding) -> None:
        """No more; a delivery that has begun still comes to its end."""
        writes = self._fast[encoding]
        del writes[member]
        self._ready.pop(encoding, None)
        if not writes:
            del self._fast[encoding]

    def ready(self) -> Mapping[Encoding, tuple[Write, ...]]:
        """The writes by form, as they are now: later changes do not show in the tuples."""
        for encoding in self._fast.keys() - self._ready.keys():
            self._ready[encoding] = tuple(self._fast[encoding].values())
        return self._ready

    def whose(self, write: Write) -> list[Member]:
        return [
            member
            for writes in self._fast.values()
            for member, known in writes.items()
            if known is write
        ]


class Groups(Generic[Member]):
    """The groups of one account, found by the events that they match."""

    def __init__(self) -> None:
        self._by_text: dict[str, SubscriberGroup[Member]] = {}
        self._by_pattern: dict[RoutingKey, dict[SubscriberGroup[Member], None]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_text)

    def of(self, binding: Binding) -> SubscriberGroup[Member]:
        """The group of a binding; made when it is the first."""
        group = self._by_text.get(binding.text)
        if group is None:
            group = self._by_text[binding.text] = SubscriberGroup(binding)
            for pattern in binding.patterns():
                self._by_pattern.setdefault(pattern, {})[group] = None
        return group

    def drop_if_empty(self, group: SubscriberGroup[Member]) -> None:
        if group:
            return
        del self._by_text[group.binding.text]
        for pattern in group.binding.patterns():
            groups = self._by_pattern[pattern]
            del groups[group]
            if not groups:
                del self._by_pattern[pattern]

    def matching(self, key: RoutingKey) -> list[SubscriberGroup[Member]]:
        """The groups whose bindings match, each once, oldest first."""
        found: dict[SubscriberGroup[Member], None] = {}
        for pattern in candidates(key):
            found.update(self._by_pattern.get(pattern, {}))
        return [*found]
