"""Messages that are hard to read, or meant to be read wrongly: kinds of RFC 4475, and of reports against other servers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

INVITE_BODY = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)
METHODS = (
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY",
    "PUBLISH", "REFER", "MESSAGE", "INFO", "UPDATE", "PRACK", "NONSENSE",
)  # fmt: skip
ANSWERS = ("100 Trying", "180 Ringing", "200 OK", "302 Moved", "401 Unauthorized", "487 Gone")


def message(
    at: Random,
    method: str = "OPTIONS",
    uri: str = "sip:101@127.0.0.1",
    body: str = "",
    **fields: str | None,
) -> str:
    """A whole message. ``fields`` replace those of that name (``call_id`` is Call-ID), None leaves one out."""
    first = f"{method} {uri} SIP/2.0"
    if method[:1].isdigit():
        first, method = f"SIP/2.0 {method}", "INVITE"
    all_fields: dict[str, str | None] = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:5999;rport;branch=z9hG4bK{at.getrandbits(64):x}",
        "Max-Forwards": "70",
        "From": f"<sip:mallory@127.0.0.1>;tag={at.getrandbits(32):x}",
        "To": f"<{uri}>",
        "Call-ID": f"{at.getrandbits(64):x}",
        "CSeq": f"{at.randrange(1, 9999)} {method}",
        "Contact": "<sip:mallory@127.0.0.1:5999>",
        "Content-Type": "application/sdp" if body else None,
        "Content-Length": str(len(body.encode())),
    }
    named = {name.replace("_", "-").lower(): value for name, value in fields.items()}
    known = {name.lower(): name for name in all_fields}
    all_fields |= {known.get(name, name): value for name, value in named.items()}
    lines = [f"{name}: {value}" for name, value in all_fields.items() if value is not None]
    return "\r\n".join([first, *lines]) + "\r\n\r\n" + body


def torture(at: Random) -> Iterator[tuple[str, bytes]]:
    """(what it is, the message), of each method or of the one that it is about."""
    for method in METHODS:
        for what, fields in _FIELDS.items():
            body = INVITE_BODY if method in ("INVITE", "UPDATE") else ""
            yield f"{method}, {what}", message(at, method, body=body, **fields).encode("latin-1")
    for uri in _URIS:
        yield f"URI {uri[:40]!r}", message(at, "INVITE", uri, INVITE_BODY).encode("latin-1")
    for what, body in _BODIES.items():
        yield f"body, {what}", message(at, "INVITE", body=body).encode("latin-1")
    for answer in ANSWERS:
        yield f"answer {answer} to nothing", message(at, answer).encode()
    yield "no fields", b"INVITE sip:101@127.0.0.1 SIP/2.0\r\n\r\n"
    yield "version 7", message(at).replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", 1).encode()
    yield "zeros", b"\0" * 1200
    yield "line feeds alone", message(at).replace("\r\n", "\n").encode()
    yield "folded", message(at).replace("From: ", "From:\r\n  \r\n\t").encode()
    yield "two in one", (message(at) + message(at, "INVITE", body=INVITE_BODY)).encode()
    yield "of another encoding", message(at).encode("utf-16")


_FIELDS: dict[str, dict[str, str | None]] = {
    "without Via": {"via": None},
    "without From": {"from": None},
    "without To": {"to": None},
    "without CSeq": {"cseq": None},
    "without Call-ID": {"call_id": None},
    "without Contact": {"contact": None},
    "Content-Length of more": {"content_length": "99999"},
    "Content-Length below nothing": {"content_length": "-999"},
    "Content-Length beyond 64 bits": {"content_length": "36893488147419103232"},
    "CSeq beyond 32 bits": {"cseq": "36893488147419103232 INVITE"},
    "CSeq of another method": {"cseq": "1 WHATEVER"},
    "Max-Forwards 0": {"max_forwards": "0"},
    "Max-Forwards of 300": {"max_forwards": "300"},
    "an open quote": {"from": '"Unterminated <sip:a@b>;tag=1'},
    "a long name": {"from": f'"{"A" * 8000}" <sip:a@b>;tag=1'},
    "a long tag": {"from": f"<sip:a@b>;tag={'t' * 5000}"},
    "a zero byte in a name": {"from": '"a\0b" <sip:a@b>;tag=1'},
    "colours in a name": {"from": '"\x1b[31mred\x1b[0m" <sip:\x1b[2Ja@b>;tag=1'},
    "colours in a Call-ID": {"call_id": "\x1b]0;owned\x07"},
    "bytes of nobody's alphabet": {"from": '"\xff\xfe\x80" <sip:a@b>;tag=1'},
    "a format in a name": {"from": '"%n%s%n%s%x" <sip:%n%s@b>;tag=1'},
    "a dialplan in a name": {"from": '"${SHELL(id)}$[1+1]" <sip:${EXTEN}@b>;tag=1'},
    "SQL in a name": {"from": "\"'; DROP TABLE calls; --\" <sip:' OR 1=1 --@b>;tag=1"},
    "commas in a name": {"from": '"a,b&c=d,\\"" <sip:a,b@b>;tag=1'},
    "Require of what nobody has": {"require": "nothingSupportsThis"},
    "Proxy-Require": {"proxy_require": "everything"},
    "a Via that names another host": {
        "via": "SIP/2.0/UDP 127.9.9.9:9;received=127.9.9.8;maddr=127.9.9.7;branch=z9hG4bK1"
    },
    "a hundred Vias": {
        "via": ", ".join(f"SIP/2.0/UDP 127.0.0.1:{p};branch=z9hG4bK{p}" for p in range(100))
    },
    "a Route to elsewhere": {"route": "<sip:127.9.9.9;lr>, <sip:127.9.9.8;lr>"},
    "a Record-Route to elsewhere": {"record_route": "<sip:127.9.9.9;lr>"},
    "a Path to elsewhere": {"path": "<sip:127.9.9.9;lr>"},
    "Contact *": {"contact": "*", "expires": "0"},
    "Contacts by the hundred": {"contact": ", ".join(f"<sip:{n}@127.0.0.1>" for n in range(200))},
    "Contact with maddr": {"contact": "<sip:a@127.0.0.1;maddr=127.9.9.9>"},
    "Contact with MADDR, escaped": {"contact": "<sip:a@127.0.0.1;MA%44DR=127.9.9.9>"},
    "Contact of another scheme": {"contact": "<http://127.9.9.9/>"},
    "Expires beyond 32 bits": {"expires": "99999999999999999999"},
    "Authorization of nothing": {"authorization": "Digest"},
    "Authorization with a long nonce": {
        "authorization": f'Digest username="a", realm="b", nonce="{"n" * 6000}", uri="c", response="d"'
    },
    "Authorization, a hundred": {
        "authorization": ", ".join(['Digest username="a", nonce="b", response="c"'] * 100)
    },
    "Replaces of nothing": {"replaces": "nothing;to-tag=a;from-tag=b"},
    "Refer-To ourselves": {"refer_to": "<sip:101@127.0.0.1?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>"},
    "Event of nobody": {"event": "nobody", "accept": "x/y"},
    "Event refer": {"event": "refer", "subscription_state": "terminated"},
    "Event message-summary": {"event": "message-summary", "content_type": "x/y"},
    "Session-Expires 0": {"session_expires": "0;refresher=uas", "supported": "timer"},
    "Content-Encoding": {"content_encoding": "gzip"},
    "fields by the thousand": {"x_many": "a\r\nX-Many: b" * 1500},
    "Identity headers": {
        "p_asserted_identity": '"boss" <sip:1@b>', "remote_party_id": "<sip:2@b>;privacy=full",
        "diversion": "<sip:3@b>;reason=unconditional" * 30,
    },
}  # fmt: skip

_URIS = (
    "sip:", "sip:@", "sip:101", "sip:127.0.0.1", "<sip:101@127.0.0.1>", "sips:101@127.0.0.1",
    "sip:101@127.0.0.1;lr;maddr=127.9.9.9", "sip:101@127.9.9.9", "sip:101@[::1]", "sip:101@[",
    "tel:+84901234567", "tel:113;phone-context=+84", "soap.beep://a", "nobody:x",
    "sip:101;par=u%40example.net@127.0.0.1", "sip:%00@127.0.0.1", "sip:%0d%0aX:y@127.0.0.1",
    "sip:${SHELL(id)}@127.0.0.1", "sip:s@127.0.0.1", "sip:h@127.0.0.1", "sip:i@127.0.0.1",
    "sip:external_replaces@127.0.0.1", "sip:101,1@127.0.0.1", "sip:101&102@127.0.0.1",
    "sip:PJSIP/101@127.0.0.1", "sip:101@127.0.0.1?Route=%3Csip:127.9.9.9%3Blr%3E",
    f"sip:{'9' * 3000}@127.0.0.1", f"sip:101@{'a' * 3000}", f"sip:101@127.0.0.1;{'p' * 3000}=1",
)  # fmt: skip

_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
_BODIES: dict[str, str] = {
    "empty lines": "\r\n" * 400,
    "no media": _SDP + "t=0 0\r\n",
    "media by the hundred": INVITE_BODY + "m=audio 9 RTP/AVP 0\r\n" * 300,
    "formats by the hundred": _SDP
    + "t=0 0\r\nm=audio 9 RTP/AVP "
    + " ".join(map(str, range(128)))
    + "\r\n"
    + "".join(f"a=rtpmap:{n} opus/48000/2\r\n" for n in range(96, 128)),
    "a format beyond 127": INVITE_BODY.replace(" 0 101", " 999999999999"),
    "a port beyond 65535": INVITE_BODY.replace("9000", "99999999"),
    "a port below 0": INVITE_BODY.replace("9000", "-1"),
    "audio by multicast": INVITE_BODY.replace("IN IP4 127.0.0.1\r\nt", "IN IP4 239.1.1.1/127\r\nt"),
    "audio to everybody": INVITE_BODY.replace("IN IP4 127.0.0.1\r\nt", "IN IP4 255.255.255.255\r\nt"),
    "audio by name": INVITE_BODY.replace("IN IP4 127.0.0.1\r\nt", "IN IP4 localhost\r\nt"),
    "a rate of 0": INVITE_BODY + "a=rtpmap:0 PCMU/0\r\na=ptime:0\r\na=maxptime:0\r\n",
    "a ptime beyond all": INVITE_BODY + "a=ptime:999999999\r\n",
    "an fmtp of formats": INVITE_BODY + "a=fmtp:101 %n%s%n\r\n" + f"a=fmtp:0 {'x' * 4000}\r\n",
    "crypto of nothing": INVITE_BODY.replace("RTP/AVP", "RTP/SAVP") + "a=crypto:1 X inline:\r\n",
    "candidates of ICE": INVITE_BODY
    + "".join(f"a=candidate:{n} 1 UDP 1 127.9.9.{n % 250} 9 typ host\r\n" for n in range(300))
    + "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n",
    "a fingerprint": INVITE_BODY + "a=setup:actpass\r\na=fingerprint:sha-256 00\r\n",
    "T.38": _SDP + "c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 9 udptl t38\r\n",
    "multipart": '--b\r\nContent-Type: application/sdp\r\n\r\n' + INVITE_BODY + "\r\n--b--\r\n",
    "zeros": "v=0\r\n" + "\0" * 3000,
}  # fmt: skip
