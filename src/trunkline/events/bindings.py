"""Bindings: which events a subscriber wants, in the words of AMQP's topic exchange.

A routing key has three segments: category, name, subject (``call``, ``CHANNEL_CREATE``, a Call-ID).
A binding is dot-separated: ``*`` stands for one segment, ``#`` for any number of them, also for
none. A dot inside a segment is written ``%2E``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from trunkline.events.of_call import CALL_EVENTS, DEVICE_EVENTS, TRUNK_EVENTS, WEBHOOK_EVENTS

RoutingKey = tuple[str, str, str]

EVENTS: Mapping[str, frozenset[str]] = {
    "call": frozenset(CALL_EVENTS),
    "device": frozenset(DEVICE_EVENTS),
    "trunk": frozenset(TRUNK_EVENTS),
    "webhook": frozenset(WEBHOOK_EVENTS),
}
"""Every category with its events: what can be subscribed to."""

_NAMED = frozenset(
    named
    for category, events in EVENTS.items()
    for event in events
    for named in ((category, event), (category, "*"), ("*", event), ("*", "*"))
)
"""What may stand in a pattern for category and name, so that an event can match it."""

LONGEST = 255
_WILD = frozenset("*#")
_ESCAPED_DOT = re.compile("%2e", re.IGNORECASE)


class BindingInvalid(ValueError):
    """A binding that can match nothing; the message is for the subscriber (Kazoo's texts)."""


class Binding(msgspec.Struct, frozen=True):
    """A binding that can match something. ``text`` is what the subscriber wrote."""

    text: str
    segments: tuple[str, ...]

    def matches(self, key: RoutingKey) -> bool:
        """Does it match? Many bindings are asked at once by a ``BindingSet``."""
        return not self.patterns().isdisjoint(candidates(key))

    def patterns(self) -> frozenset[RoutingKey]:
        """Patterns without ``#``, of which ``*`` is any segment: the binding matches what any of them matches.

        A routing key has three segments, so ``#`` can stand only for a few numbers of them:
        ``call.#`` is ``call.*.*``, and ``#`` alone is ``*.*.*``.
        """
        return _patterns(self.segments)


class BindingSet:
    """Bindings that are compared with many events: what that takes does not grow with their number."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._patterns = frozenset[RoutingKey]().union(*(each.patterns() for each in bindings))

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def matches(self, key: RoutingKey) -> bool:
        """Does any of them match?"""
        return not self._patterns.isdisjoint(candidates(key))


def parse(text: str) -> Binding:
    """Raises BindingInvalid where the text is malformed, or no event could ever match it."""
    raw = text.split(".")
    if len(text) > LONGEST or "" in raw:
        raise BindingInvalid(f"invalid format for subscription : {text[:LONGEST]}")
    segments = tuple(_ESCAPED_DOT.sub(".", segment) for segment in _without_repeats(raw))
    _check_category(segments)
    _check_event(segments)
    if not _can_match(segments):
        rest = ".".join(raw[1:])
        raise BindingInvalid(f"invalid format for {raw[0]} subscription : {rest} ({_SHAPE})")
    return Binding(text, segments)


def overlaps(one: Binding, other: Binding) -> bool:
    """Could one event match both?"""
    return any(_meet(a, b) for a in one.patterns() for b in other.patterns())


def candidates(key: RoutingKey) -> Iterator[RoutingKey]:
    """The eight patterns that match a routing key: itself, and with ``*`` for some segments."""
    category, event, subject = key
    for first in (category, "*"):
        for second in (event, "*"):
            yield (first, second, subject)
            yield (first, second, "*")


def escaped(segment: str) -> str:
    """A segment as it stands in a binding or a written routing key."""
    return segment.replace(".", "%2E")


_SHAPE = "write category.EVENT.id, with %2E for a dot inside the id"


def _without_repeats(raw: list[str]) -> Iterator[str]:
    """``#.#`` matches what ``#`` does, and would take ages to match."""
    return (
        part for part, before in zip(raw, ["", *raw], strict=False) if not part == before == "#"
    )


def _check_category(segments: tuple[str, ...]) -> None:
    if segments[0] not in EVENTS and segments[0] not in _WILD:
        raise BindingInvalid("no available subscriptions to requested binding")


def _check_event(segments: tuple[str, ...]) -> None:
    if len(segments) < 2 or segments[0] == "#" or segments[1] in _WILD:
        return
    category, event = segments[:2]
    if not any(category in ("*", known) and event in EVENTS[known] for known in EVENTS):
        raise BindingInvalid(f"event {event} not supported")


def _can_match(segments: tuple[str, ...]) -> bool:
    return any((category, event) in _NAMED for category, event, _ in _patterns(segments))


@lru_cache(4096)
def _patterns(segments: tuple[str, ...]) -> frozenset[RoutingKey]:
    return frozenset((a, b, c) for a, b, c in _expanded(segments, 3))


def _expanded(segments: tuple[str, ...], length: int) -> Iterator[tuple[str, ...]]:
    """Every way to write the segments with exactly ``length`` of them and no ``#``."""
    if not segments:
        yield from ((),) if length == 0 else ()
    elif segments[0] == "#":
        for taken in range(length + 1):
            yield from (("*",) * taken + rest for rest in _expanded(segments[1:], length - taken))
    elif length:
        yield from (segments[:1] + rest for rest in _expanded(segments[1:], length - 1))


def _meet(a: RoutingKey, b: RoutingKey) -> bool:
    return all(x == y or "*" in (x, y) for x, y in zip(a, b, strict=True))
