"""Requests whose end could be taken for elsewhere: whatever is ambiguous is refused, and the connection closed."""

from __future__ import annotations

from .report import Report
from .target import Target

_HIDDEN = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
CASES: dict[str, str] = {
    "both a length and an encoding": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "an encoding and a length": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(_HIDDEN)}\r\n\r\n{_HIDDEN}",
    "two equal lengths": "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + _HIDDEN,
    "a list of lengths": "Content-Length: 0, 0\r\n\r\n" + _HIDDEN,
    "a negative length": "Content-Length: -1\r\n\r\n" + _HIDDEN,
    "a length with a sign": "Content-Length: +0\r\n\r\n" + _HIDDEN,
    "a hexadecimal length": "Content-Length: 0x0\r\n\r\n" + _HIDDEN,
    "a length in other digits": "Content-Length: \u0660\r\n\r\n" + _HIDDEN,
    "a huge length": f"Content-Length: {'9' * 30}\r\n\r\n{_HIDDEN}",
    "an empty length": "Content-Length:\r\n\r\n" + _HIDDEN,
    "an encoding before chunked": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "two encodings": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "an encoding after a tab": "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "an encoding of another name": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "a folded header": "X: a\r\n Content-Length: 99\r\n\r\n" + _HIDDEN,
    "a folded encoding": "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "a bare line feed": "X: a\nContent-Length: 0\r\n\r\n" + _HIDDEN,
    "a bare carriage return": "X: a\rContent-Length: 0\r\n\r\n" + _HIDDEN,
    "a NUL in a header": "X: a\0b\r\n\r\n" + _HIDDEN,
    "a NUL in a name": "X\0: a\r\n\r\n" + _HIDDEN,
    "a header without a colon": "X\r\n\r\n" + _HIDDEN,
    "a header without a name": ": a\r\n\r\n" + _HIDDEN,
    "a chunk's size with a sign": "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n" + _HIDDEN,
    "a chunk's size with 0x": "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + _HIDDEN,
    "a chunk's size that runs over": "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" + _HIDDEN,
    "a chunk that ends elsewhere": "Transfer-Encoding: chunked\r\n\r\n1\r\nab0\r\n\r\n" + _HIDDEN,
    "a chunk's line that ends bare": "Transfer-Encoding: chunked\r\n\r\n0\n\n" + _HIDDEN,
}  # fmt: skip


async def attack(target: Target, report: Report) -> None:
    start = f"POST /oapi/v1/voice/auth_token HTTP/1.1\r\n{target.host}\r\n"
    for name, rest in CASES.items():
        said = await target.raw((start + rest).encode("utf-8"))
        report.case(f"smuggling: {name}", b"trunkline_up" not in said, said)
        report.case(f"smuggling: {name}: no error of ours", b"HTTP/1.1 5" not in said, said)
    for line in ("GET /metrics HTTP/1.1 x", "GET\t/metrics\tHTTP/1.1", "GET /metrics", "GET /metrics HTTP/2.0", "get /metrics HTTP/1.1"):  # fmt: skip
        said = await target.raw(f"{line}\r\n{target.host}\r\nConnection: close\r\n\r\n".encode())
        report.case(f"the line {line!r}", b"trunkline_up" not in said, said[:80])
