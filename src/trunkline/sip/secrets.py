"""Blanks the secrets of a SIP message: what could log somebody in, decrypt audio, or be a PIN.

It blanks, in digest headers, the response and all nonces, and everything in headers of other schemes;
passwords in URIs, and credentials among a URI's headers; in SDP the keys (``a=crypto``,
``a=key-mgmt``, ``k=``) and ``a=ice-pwd``; and digits that a phone sends in INFO or NOTIFY. A part that
cannot be looked into (an encoded body, an INFO of an unknown kind) is blanked as a whole.

Anybody who reaches the SIP port can send 64 KB of anything, so each pattern takes linear time: where one
fails, it never looks at the same text again from the next character on.
"""

from __future__ import annotations

import re

from trunkline.sip.message import SipHead, SipText, read_head, read_text

BLANK = "***"

_MAY_AUTH = re.compile(r"auth", re.I)
_AUTH = re.compile(
    r"^([^\S\n]*(?:(?:[\w-]{1,40}-)?(?:authori[sz]ation|authenticate)|(?:proxy-)?authentication-info)"
    r"[^\S\n]*:[^\S\n]*)(Digest\b)?(.*)$",
    re.I | re.M,
)
_SHOWN = {"username", "realm", "uri", "algorithm", "qop", "nc", "stale", "domain"}
_PARAMETER = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^",]*)\s*')
_PASSWORD = re.compile(
    r"(?<![^\s@<>])((?>[^\s@<>]*?(?:sips?:|://))[^\s@<>:]*+):[^\s@<>]*+(?=@)", re.I
)
_IN_URI = re.compile(r"([?&](?:proxy-)?authori[sz]ation=)[^&>\s\"]*", re.I)
_SDP_KEY = re.compile(
    r"^([^\S\n]*(?:k[^\S\n]*=|a[^\S\n]*=[^\S\n]*(?:ice-pwd|key-mgmt|crypto)[^\S\n]*:"
    r"(?:[^\S\n]*\d+[^\S\n]+\w+(?=[^\S\n]))?)[^\S\n]*).*$",
    re.I | re.M,
)
_FOLD = re.compile(r"\n[ \t]+")
_HARMLESS_INFO = ("application/media_control+xml", "application/sdp")


def blanked(payload: bytes) -> tuple[SipHead, str] | None:
    """The message's head, and its text with CRLF line ends; None if it is no SIP message."""
    read = read_text(payload)
    head = read_head(read)
    if head is None:
        return None
    text = "\n".join([*read.lines, "", _body(head, read)])
    text = _uris(_AUTH.sub(_credentials, text) if _MAY_AUTH.search(text) else text)
    return head, text.replace("\n", "\r\n")


def _uris(text: str) -> str:
    return _IN_URI.sub(rf"\1{BLANK}", _PASSWORD.sub(rf"\1:{BLANK}", text))


def _credentials(line: re.Match[str]) -> str:
    """Only what is known to be no secret stays; what does not parse is blanked as a whole."""
    name, scheme, rest = line[1], line[2], line[3]
    if scheme is None and "info" not in name.lower():
        return f"{name}{BLANK}"
    parts, at = [], 0
    while at < len(rest):
        parameter = _PARAMETER.match(rest, at)
        if parameter is None or (parameter.end() < len(rest) and rest[parameter.end()] != ","):
            parts.append(BLANK)
            break
        key, value = parameter[1], parameter[2].strip()
        parts.append(f"{key}={value if key.lower() in _SHOWN else _hidden(value)}")
        at = parameter.end() + 1
    return f"{name}{scheme or ''} {', '.join(parts)}".rstrip()


def _hidden(value: str) -> str:
    return f'"{BLANK}"' if value.startswith('"') else BLANK


def _body(head: SipHead, read: SipText) -> str:
    body, headers = read.body, read.headers
    if not body:
        return ""
    if "content-encoding" in headers:
        return BLANK
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if "dtmf-relay" in kind:
        return "\n".join(map(_without_digit, body.split("\n")))
    if "kpml" in kind or (head.of_method == "INFO" and kind not in _HARMLESS_INFO):
        return BLANK
    if _MAY_AUTH.search(body):  # the body may hold headers, also folded ones
        body = _FOLD.sub(" ", body)
    return _SDP_KEY.sub(rf"\1{BLANK}", body)


def _without_digit(line: str) -> str:
    """A line of application/dtmf-relay; of it, only how long the key was pressed stays."""
    name, equals, _ = line.partition("=")
    said = name.strip().lower()
    if not line or (equals and said == "duration"):
        return line
    return f"{name}={BLANK}" if equals and said == "signal" else BLANK
