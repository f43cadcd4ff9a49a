"""URLs of webhooks that lead inside, however they are written."""

from __future__ import annotations

import json

from .report import Report
from .target import Target

URLS = [
    "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
    "https://localhost/", "https://LOCALHOST./", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::]/", "https://0.0.0.0/",
    "https://0/", "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.0.1/", "https://100.64.0.1/", "https://169.254.169.254/",
    "https://169.254.169.254.:443/", "https://[fd00:ec2::254]/", "https://[fe80::1]/", "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/", "https://224.0.0.1/", "https://255.255.255.255/", "https://192.0.2.1/", "http://8.8.8.8/",
    "https://8.8.8.8:22/", "https://8.8.8.8:25/", "https://user@8.8.8.8/", "https://8.8.8.8@127.0.0.1/", "https://127.0.0.1#@8.8.8.8/",
    "https://8.8.8.8\\@127.0.0.1/", "https://127.0.0.1%2f@8.8.8.8/", "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://8.8.8.8/",
    "//127.0.0.1/", "https:127.0.0.1", "https:///etc", "https://", "javascript:alert(1)", "https://①②⑦.0.0.1/",
    "https://127。0。0。1/", "https://8.8.8.8/\r\nHost: x", "https://8.8.8.8/ x", "https://[::1%25lo]/", "https://0x7f.1/",
]  # fmt: skip


async def attack(target: Target, report: Report) -> None:
    for url in URLS:
        said = await _post(target, "/v1/webhooks", json.dumps({"url": url}).encode())
        held, saw = said[9:12] in (b"400", b"422"), said[-300:]
        if (
            said[9:12] == b"201"
        ):  # a name that nobody knows today: what counts is where it is posted to
            made = said.partition(b"location: ")[2].partition(b"\r\n")[0].decode()
            saw = await _post(target, f"{made}/test", b"")
            held = b'"last_status":null' in saw
        report.case(f"a webhook to {url!r}", held, saw)


async def _post(target: Target, path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\n{target.host}\r\nAuthorization: Bearer {target.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return await target.raw(head.encode() + body, patience=16)
