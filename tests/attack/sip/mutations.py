"""A message changed at random, so that its reader may stumble."""

from __future__ import annotations

from random import Random

_ODD = (
    b"\0", b"\x1b[2J", b"\r\n", b"\r\n\r\n", b"\n", b"\xff\xfe", b"%n%s", b"${EXTEN}", b'"', b"\\", b"<", b">",
    b";", b",", b"@", b":", b"[", b"]", b"=", b" ", b"\t", b"4294967296", b"-1", b"0", b"9" * 40, b"A" * 3000,
    b"*", b"sip:", b"sips:", b"tel:", b"SIP/2.0", b";maddr=127.9.9.9", b";lr", b"%0d%0a", b"\xc3\xa9", b"\xf0\x9f\x98\x80",
)  # fmt: skip


def changed(message: bytes, at: Random, times: int) -> bytes:
    """The message, changed in so many places; at most 60,000 bytes, as a datagram takes."""
    for _ in range(times):
        message = at.choice(_WAYS)(message, at)
    return message[:60_000]


def _put(message: bytes, at: Random) -> bytes:
    place = at.randrange(len(message) + 1)
    return message[:place] + at.choice(_ODD) + message[place:]


def _replace(message: bytes, at: Random) -> bytes:
    place = at.randrange(len(message) + 1)
    return message[:place] + at.choice(_ODD) + message[place + at.randrange(1, 20) :]


def _flip(message: bytes, at: Random) -> bytes:
    if not message:
        return message
    place = at.randrange(len(message))
    return message[:place] + bytes([message[place] ^ 1 << at.randrange(8)]) + message[place + 1 :]


def _cut(message: bytes, at: Random) -> bytes:
    return message[: at.randrange(len(message) + 1)] if at.random() < 0.3 else message


def _lines(message: bytes, at: Random) -> bytes:
    """A line is doubled, left out, or stands somewhere else."""
    lines = message.split(b"\r\n")
    line = lines.pop(at.randrange(len(lines)))
    for _ in range(at.choice((0, 1, 2, 50))):
        lines.insert(at.randrange(len(lines) + 1), line)
    return b"\r\n".join(lines)


def _other_value(message: bytes, at: Random) -> bytes:
    """A field gets another one's value."""
    lines = message.split(b"\r\n")
    fields = [n for n, line in enumerate(lines) if b":" in line]
    if len(fields) > 1:
        one, other = at.sample(fields, 2)
        name, value = lines[one].split(b":", 1)[0], lines[other].split(b":", 1)[1]
        lines[one] = name + b":" + value
    return b"\r\n".join(lines)


_WAYS = (_put, _put, _replace, _replace, _flip, _cut, _lines, _lines, _other_value)
