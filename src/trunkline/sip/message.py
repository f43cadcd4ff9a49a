"""SIP messages of a call as they are kept, read as far as is needed to find their call.

This is no SIP stack: Asterisk has parsed each message already. This reads the first line and a few headers
(RFC 3261, sections 7 and 20), tolerantly, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from trunkline.calls.facts import AnyFact, CallMerged


class CapturedSip(msgspec.Struct, frozen=True):
    """A SIP message on the wire. ``at`` is unix microseconds, addresses are (host, port).

    On a stream (TCP, TLS, WebSocket) the payload may hold more bytes after the message.
    """

    at: int
    source: tuple[str, int]
    destination: tuple[str, int]
    stream: bool
    payload: bytes


class SipMessage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One message of a leg, as it was on the wire but for blanked secrets.

    ``at`` is unix microseconds, ``sent`` is whether Trunkline sent it, ``transport`` is ``udp``, ``tcp``,
    ``tls``, ``ws`` or ``wss``. A request has a ``method``, a response has a ``status`` and a ``reason``;
    ``cseq`` is its whole CSeq, such as ``102 INVITE``.
    """

    leg_id: str
    at: int
    sent: bool
    source: str
    destination: str
    transport: str
    method: str | None
    status: int | None
    reason: str
    cseq: str
    text: str

    @property
    def remote(self) -> str:
        return self.destination if self.sent else self.source


class SipPart(msgspec.Struct, frozen=True, kw_only=True):
    """Some messages of a call, in their order. ``skipped`` more were not kept: the call has too many."""

    account_id: str
    call_id: str
    stored_at: int
    messages: tuple[SipMessage, ...]
    skipped: int = 0


class SipHead(msgspec.Struct, frozen=True, kw_only=True):
    """The headers that are read; empty texts for those that are missing."""

    method: str | None
    status: int | None
    reason: str
    call_id: str
    cseq: str
    from_tag: str
    to_tag: str
    transport: str
    via_port: int | None
    branch: str

    @property
    def of_method(self) -> str:
        """The method of a request, or of the request that a response answers."""
        return self.method or self.cseq.rpartition(" ")[2].upper()

    def local_tag(self, sent: bool) -> str:
        """Our tag in the dialog, for a message that went in this direction (RFC 3261, section 12)."""
        return self.from_tag if sent is (self.method is not None) else self.to_tag


_REQUEST = re.compile(r"([A-Za-z!%*_+`'~.-]{1,32}) \S+ SIP/2\.0 *")
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?")
_TAG = re.compile(r";\s*tag\s*=\s*([^;,\s>?]+)", re.I)
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z-]+)\s+(?:\[[^\]]*\]|[^\s:;,]+)(?:\s*:\s*(\d{1,5}))?"
)
_BRANCH = re.compile(r";\s*branch\s*=\s*([^;,\s]+)", re.I)
_LONG = {"i": "call-id", "f": "from", "t": "to", "v": "via", "l": "content-length",
         "c": "content-type", "e": "content-encoding"}  # fmt: skip
_GAP = re.compile(rb"\r?\n\r?\n|\r\r")
_FOLD = re.compile(r"\n[ \t]+")
_QUOTED = re.compile(r'\s*"(?:[^"\\]|\\.)*"')
_PORTS = {"TLS": 5061, "WSS": 443, "WS": 80}


class SipText(NamedTuple):
    """A message in parts: lines end with LF, header lines are unfolded, bad bytes replaced.

    ``headers`` has the first value of each header under its name in lower case, compact names made long.
    """

    lines: list[str]
    headers: dict[str, str]
    body: str


def read_text(payload: bytes) -> SipText:
    """The message that a payload begins with.

    The body ends after ``Content-Length`` bytes; what follows belongs to no message (RFC 3261, 18.3).
    """
    gap = _GAP.search(payload)
    head = payload[: gap.start()] if gap else payload
    text = _plain(head)
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\n")
    headers = _headers(lines)
    body = payload[gap.end() :] if gap else b""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        body = body[: int(length[:6])]
    return SipText(lines, headers, _plain(body) if body else "")


def _plain(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _headers(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            found.setdefault(_LONG.get(name, name), value.strip())
    return found


def read_head(text: SipText) -> SipHead | None:
    """None for text that is no SIP message, or has no Call-ID or CSeq."""
    first, headers = text.lines[0], text.headers
    status = _STATUS.fullmatch(first)
    request = None if status else _REQUEST.fullmatch(first)
    call_id, cseq, via = (headers.get(name, "") for name in ("call-id", "cseq", "via"))
    if not (request or status) or not call_id or not cseq:
        return None
    by = _VIA.match(via)
    transport = by[1].upper() if by else ""
    return SipHead(
        method=request[1].upper() if request else None,
        status=int(status[1]) if status else None,
        reason=(status[2] or "").strip() if status else "",
        call_id=call_id,
        cseq=" ".join(cseq.split()),
        from_tag=_tag(headers.get("from", "")),
        to_tag=_tag(headers.get("to", "")),
        transport=transport.lower(),
        via_port=(int(by[2]) if by[2] else _PORTS.get(transport, 5060)) if by else None,
        branch=_found(_BRANCH, via),
    )


def _tag(value: str) -> str:
    """The tag stands after the address: a display name or a URI may hold the same letters."""
    if "<" in value:
        name = _QUOTED.match(value)
        value = value[name.end() if name else 0 :].partition(">")[2]
    return _found(_TAG, value)


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def ids_of_messages(call_id: str, facts: Iterable[AnyFact]) -> list[str]:
    """The ids under which a call's messages are kept: its own, and those of the calls that it absorbed."""
    ids = [call_id]
    for fact in facts:
        if isinstance(fact, CallMerged):
            ids += ids_of_messages(fact.other_call_id, fact.facts)
    return list(dict.fromkeys(ids))
