"""SIP messages as text: read, written, signed with a digest, and the SDP in them (RFC 3261, 4566)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence

import msgspec

from .codecs import ALL, PCMU, Formats, offered


class Message(msgspec.Struct, frozen=True):
    """A request or a response: its first line, its header fields in their order, its body."""

    first: str
    fields: tuple[tuple[str, str], ...]
    body: str = ""

    def __getitem__(self, name: str) -> str:
        """The first header field of that name; empty when there is none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Every header field of that name."""
        return [value for each, value in self.fields if each.lower() == name.lower()]

    @property
    def code(self) -> int:
        """A response's status code; 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """What a request asks, or what a response answers."""
        return self["CSeq"].split()[-1]

    @property
    def number(self) -> int:
        """The number in CSeq."""
        return int(self["CSeq"].split()[0])

    @property
    def branch(self) -> str:
        """What the transaction is known by."""
        return parameter(self["Via"], "branch")

    @property
    def user(self) -> str:
        """The user part of a request's URI."""
        return user_of(self.first.split()[1])

    def encoded(self) -> bytes:
        """As it goes on the wire."""
        lines = [self.first, *(f"{name}: {value}" for name, value in self.fields)]
        if self.body and not self["Content-Type"]:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(self.body.encode())}")
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


def parsed(data: bytes) -> Message | None:
    """A message from the wire; None for what is none, such as a keep-alive."""
    head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    if "SIP/2.0" not in first:
        return None
    pairs = (line.partition(":") for line in lines)
    return Message(first, tuple((name.strip(), value.strip()) for name, _, value in pairs), body)


def response(
    request: Message,
    code: int,
    reason: str,
    to: str = "",
    more: Sequence[tuple[str, str]] = (),
) -> Message:
    """A response; ``to`` is the To field with our tag, as it came where it is empty."""
    kept = [
        (name, to if to and name.lower() == "to" else value)
        for name, value in request.fields
        if name.lower() in ("via", "from", "to", "call-id", "cseq", "record-route")
    ]
    return Message(f"SIP/2.0 {code} {reason}", (*kept, *more))


def parameter(field: str, name: str) -> str:
    """A parameter of a header field: ``tag``, ``branch`` …; empty when there is none."""
    found = re.search(rf";\s*{name}=([^;,>\s]+)", field, re.I)
    return found[1] if found else ""


def user_of(uri: str) -> str:
    """The user part of a URI or of a field that has one in <>; empty when there is none."""
    found = re.search(r"sips?:([^@>]*)@", uri)
    return found[1] if found else ""


def uri_of(field: str) -> str:
    """The URI in the <> of a Contact, a From, a To."""
    found = re.search(r"<([^>]*)>", field)
    return found[1] if found else field.partition(";")[0].strip()


def credentials(
    user: str, password: str, method: str, uri: str, refusal: Message
) -> tuple[str, str]:
    """The header field that answers a 401 or 407: RFC 2617 with MD5, qop=auth where it is offered."""
    proxy = refusal.code == 407
    challenge = refusal["Proxy-Authenticate" if proxy else "WWW-Authenticate"]
    asked = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge))
    secret = _md5(f"{user}:{asked['realm']}:{password}")
    nonce, cnonce = asked["nonce"], secrets.token_hex(8)
    middle = f"{nonce}:00000001:{cnonce}:auth" if "qop" in asked else nonce
    fields = {
        "username": user,
        "realm": asked["realm"],
        "nonce": nonce,
        "uri": uri,
        "response": _md5(f"{secret}:{middle}:{_md5(f'{method}:{uri}')}"),
        **({"cnonce": cnonce} if "qop" in asked else {}),
        **({"opaque": asked["opaque"]} if "opaque" in asked else {}),
    }
    text = ", ".join(f'{name}="{value}"' for name, value in fields.items())
    text += ", algorithm=MD5" + (", qop=auth, nc=00000001" if "qop" in asked else "")
    return ("Proxy-Authorization" if proxy else "Authorization"), f"Digest {text}"


def challenged(answer: Message) -> bool:
    """Is it a refusal that credentials could help against?"""
    return bool(answer["WWW-Authenticate"] or answer["Proxy-Authenticate"])


_MU_LAW = offered([PCMU])


def sdp(
    host: str,
    port: int,
    direction: str = "sendrecv",
    version: int = 1,
    formats: Formats = _MU_LAW,
) -> str:
    """Audio at a host and port, the most wanted format first."""
    types = " ".join(str(number) for number, _ in formats)
    maps = "".join(f"a=rtpmap:{number} {codec.rtpmap}\r\n" for number, codec in formats)
    return (
        f"v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {types}\r\n{maps}a=ptime:20\r\na={direction}\r\n"
    )


def formats_of(body: str) -> Formats:
    """The formats of an SDP's audio that we know, as it orders them; those without a map are static ones."""
    found = re.search(r"^m=audio \d+ \S+((?: \d+)*)", body, re.M)
    maps = dict(re.findall(r"^a=rtpmap:(\d+) (\S+)", body, re.M))
    known = {codec.rtpmap.lower(): codec for codec in ALL}
    maps = {str(codec.payload): codec.rtpmap for codec in ALL if codec.payload < 96} | maps
    return tuple(
        (int(number), known[maps[number].lower()])
        for number in (found[1].split() if found else ())
        if maps.get(number, "").lower() in known
    )


def media_of(body: str) -> tuple[str, int, str]:
    """(host, port, direction) of an SDP's audio."""
    host = re.search(r"^c=IN IP4 (\S+)", body, re.M)
    port = re.search(r"^m=audio (\d+)", body, re.M)
    direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", body, re.M)
    return (
        host[1] if host else "",
        int(port[1]) if port else 0,
        direction[1] if direction else "sendrecv",
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
