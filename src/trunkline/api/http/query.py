"""The query string as it was received: the exact strings, which the hashes are made over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import msgspec

Pairs = list[tuple[str, str]]


def _spaces(text: str) -> str:
    """As forms escape. surrogateescape keeps bytes that are no UTF-8: hashes are over all bytes."""
    return _literal(text.replace("+", " "))


def _literal(text: str) -> str:
    if "%" not in text:
        return text
    usual = text.replace("%3A", ":")  # what nearly every date has, and most have nothing else
    return unquote(text, errors="surrogateescape") if "%" in usual else usual


class Reading(msgspec.Struct, frozen=True):
    """One way to read a query: a value for each name, and the names that were sent twice."""

    values: dict[str, str]
    twice: frozenset[str] = frozenset()

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def without(self, *names: str) -> Reading:
        kept = {name: value for name, value in self.values.items() if name not in names}
        return Reading(kept, self.twice)


def readings(query: bytes) -> Iterator[Reading]:
    """Every way to read the query string, the usual one first; nearly always there is just one.

    A ``+`` is a space to a form and itself to RFC 3986, and ``+07:00`` is often sent unescaped; a
    name that was sent twice has its first and its last value. The right hash tells which is meant.
    """
    text = query.decode("utf-8", "surrogateescape")
    yield from _takes(_pairs(text, _spaces))
    if "+" in text:
        yield from _takes(_pairs(text, _literal))


def _pairs(text: str, decoded: Callable[[str], str]) -> Pairs:
    parts = (part.partition("=") for part in text.split("&") if part)
    return [(decoded(name), decoded(value)) for name, _, value in parts]


def _takes(pairs: Pairs) -> Iterator[Reading]:
    last = dict(pairs)
    if len(last) == len(pairs):
        yield Reading(last)
        return
    sent = Counter(name for name, _ in pairs)  # a query may have thousands
    twice = frozenset(name for name, times in sent.items() if times > 1)
    yield Reading(dict(reversed(pairs)), twice)
    yield Reading(last, twice)
