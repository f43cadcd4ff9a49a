"""Calls as the event log tells of them, from recorded ones: any number, each under ids of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from .kept import device

SCENARIOS = ("outbound_answered", "inbound_answered", "outbound_busy", "inbound_answered")
_SCENARIOS = Path(__file__).parents[2] / "tests" / "calls" / "scenarios"
_TIME = re.compile(rb'(?<=",")([0-9]{10})\.([0-9]{6})(?=",")')


class Template(NamedTuple):
    """A recorded call's log, cut at its times; ``times`` are microseconds after its start."""

    pieces: list[bytes]
    times: list[int]
    call_id: bytes


def template(name: str) -> Template:
    """The recorded scene, with marks for what is another one's in each call."""
    folder = _SCENARIOS / name
    raw = (folder / "cel.csv").read_bytes()
    owners = msgspec.json.decode((folder / "recorded.json").read_bytes())["owners"]
    ((sip_user, owner),) = [each for each in owners.items() if each[1]["kind"] == "device"]
    call_id = raw.split(b'"')[7]
    raw = raw.replace(owner["account_id"].encode(), b"\0account")
    raw = raw.replace(sip_user.encode(), b"\0user")
    raw = raw.replace(call_id.rpartition(b".")[0], b"\0call")
    raw = re.sub(rb"rec=[0-9a-f-]+", b"rec=\0recording", raw)
    found = list(_TIME.finditer(raw))
    at = [int(each[1]) * 1_000_000 + int(each[2]) for each in found]
    cuts = [0, *(edge for each in found for edge in each.span()), len(raw)]
    pieces = [raw[low:high] for low, high in zip(cuts[::2], cuts[1::2], strict=True)]
    marked = b"\0call." + call_id.rpartition(b".")[2]
    return Template(pieces, [each - at[0] for each in at], marked)


def log_of(made: Template, number: int, company: int, account_id: str, at: int) -> bytes:
    """The log's bytes of one call of a company's, which starts at ``at`` (unix microseconds)."""
    times = (b"%d.%06d" % divmod(at + after, 1_000_000) for after in made.times)
    text = b"".join(part for pair in zip(made.pieces, [*times, b""], strict=True) for part in pair)
    text = text.replace(b"\0account", account_id.encode())
    text = text.replace(b"\0user", device(company).encode())
    return text.replace(b"\0call", b"bench%d" % number).replace(b"\0recording", b"%032x" % number)


class Calls:
    """Numbers calls, and spreads them over the companies as their sizes are."""

    def __init__(self, accounts: list[str], first: int, at: int, step: int) -> None:
        self._templates = [template(name) for name in SCENARIOS]
        self._accounts = accounts
        self._first, self._at, self._step = first, at, step
        self._order = [0, 0, 0, *range(1, len(accounts)), 0, 0] if len(accounts) > 1 else [0]

    def logs(self, numbers: Iterable[int]) -> bytes:
        """The log of the calls with these numbers (from 0)."""
        return b"".join(map(self._log, numbers))

    def ids(self, numbers: Iterable[int]) -> list[str]:
        """The ids that the calls have."""
        made = [self._templates[n % len(self._templates)] for n in numbers]
        ids = [each.call_id.replace(b"\0call", b"bench%d") for each in made]
        return [(id_ % (self._first + n)).decode() for id_, n in zip(ids, numbers, strict=True)]

    def _log(self, n: int) -> bytes:
        company = self._order[n * 7 % len(self._order)]
        made = self._templates[n % len(self._templates)]
        at = self._at + n * self._step
        return log_of(made, self._first + n, company + 1, self._accounts[company], at)


def rows_of(log: bytes) -> int:
    """How many rows a log has; none of the recorded ones has a line break in a field."""
    return log.count(b"\n")
