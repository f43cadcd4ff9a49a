"""The SIP messages of a call as a ladder: who sent what to whom, a line a message.

What a message says of itself may hold anything: only printable characters come through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from trunkline.cli.output import plain

_GAP = 30
"""Columns from one party's line to the next."""
_MOST_SDP = 120
_OURS = "Trunkline"


def ladder(
    messages: Sequence[Mapping[str, Any]], names: Mapping[str, str], clock: Callable[[int], str]
) -> Iterator[str]:
    """A head and a line for each message. ``names``: leg -> name; ``clock`` shows a time."""
    parties = _parties(messages)
    indent = " " * (len(clock(messages[0]["at"])) + 2)
    for head in zip(*(_heads(party, messages, names) for party in parties), strict=True):
        yield (indent + "".join(f"{cell:^{_GAP}}" for cell in head)).rstrip()
    for message in messages:
        ends = [parties.index(_OURS), parties.index(_remote(message))]
        start, end = ends if message["direction"] == "sent" else ends[::-1]
        drawn = _drawn(len(parties), start, end, _said(message))
        yield f"{clock(message['at'])}  {drawn}  {sdp(message['text'])}".rstrip()


def _parties(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whoever sent the first message, then we, then all others in their order."""
    others = list(dict.fromkeys(map(_remote, messages)))
    return [others[0], _OURS, *others[1:]]


def _remote(message: Mapping[str, Any]) -> str:
    return str(message["destination"] if message["direction"] == "sent" else message["source"])


def _heads(
    party: str, messages: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> tuple[str, str]:
    if party == _OURS:
        return _OURS, ""
    legs = dict.fromkeys(each["legId"] for each in messages if _remote(each) == party)
    said = ", ".join(names[leg] for leg in legs if leg in names)
    return _short(plain(said), _GAP - 2), _short(party, _GAP - 2)


def _said(message: Mapping[str, Any]) -> str:
    if message["method"]:
        return plain(str(message["method"]))
    return plain(f"{message['status']} {message['reason']}".strip())


def _drawn(parties: int, start: int, end: int, said: str) -> str:
    """A line for each party, and between two of them an arrow with the message's name in it."""
    middle = _GAP // 2
    cells = list(" " * (_GAP * parties))
    for party in range(parties):
        cells[party * _GAP + middle] = "|"
    low, high = sorted((start * _GAP + middle, end * _GAP + middle))
    room = high - low - 1
    inside = f" {_short(said, room - 6)} ".center(room - 1, "-")
    cells[low + 1 : high] = f"{inside}>" if start < end else f"<{inside}"
    return "".join(cells).rstrip()


def sdp(text: str) -> str:
    """The media that a message's SDP offers or accepts, in one line; empty without SDP."""
    _, _, body = text.partition("\r\n\r\n")
    if not body.startswith("v=0"):
        return ""
    lines = body.split("\r\n")
    addresses = [line.split()[-1] for line in lines if line.startswith("c=") and len(line) > 2]
    codecs = _codecs(lines)
    said = []
    for line in lines:
        words = line[2:].split()
        if line.startswith("m=") and len(words) >= 3:
            names = "/".join(codecs.get(each, each) for each in words[3:])
            where = f"{addresses[0]}:{words[1]}" if addresses else words[1]
            said.append(f"{words[0]} {where} {words[2]} {names}")
    ways = [way for way in ("sendonly", "recvonly", "inactive") if f"a={way}" in lines]
    return _short(plain(" ".join([", ".join(said), *ways])), _MOST_SDP)


def _codecs(lines: Sequence[str]) -> dict[str, str]:
    """Payload type -> its name; a few are known by their number (RFC 3551)."""
    known = {"0": "PCMU", "3": "GSM", "8": "PCMA", "9": "G722", "18": "G729"}
    for line in lines:
        number, _, name = line.removeprefix("a=rtpmap:").partition(" ")
        if line.startswith("a=rtpmap:") and name:
            known[number] = name.partition("/")[0]
    return known


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"
