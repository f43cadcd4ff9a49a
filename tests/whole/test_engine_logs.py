"""The engine's own logs stay short, and what a client sends begins no line and moves no cursor in them."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from pathlib import Path
from typing import Any

import pytest

from .ports import loopback
from .stage import Stage
from .waiting import until

GROWN = 9 << 20
CONTROLS = "\x1b[2J\x08\x0b"


def lines(log: Path) -> list[dict[str, Any]]:
    """All but the line that Asterisk writes at the beginning of each file."""
    text = log.read_text()
    assert not any(ord(char) < 32 and char != "\n" for char in text)
    return [json.loads(line) for line in text.splitlines() if " built by " not in line]


def packets(server: str, mark: str) -> list[bytes]:
    """Requests that Asterisk writes about: with wrong credentials, and none at all."""
    head = [
        f"REGISTER sip:{server} SIP/2.0",
        f"Via: SIP/2.0/UDP {loopback()}:5060;rport;branch=z9hG4bK{mark}",
        f'From: "{CONTROLS}" <sip:nobody@{server}>;tag=1',
        f"To: <sip:nobody@{server}>",
        f"Call-ID: {mark}{CONTROLS}",
        "CSeq: 1 REGISTER",
        'Authorization: Digest username="nobody", realm="trunkline", nonce="1/a", '
        f'uri="sip:{server}", response="{"0" * 32}", algorithm=MD5',
        "Content-Length: 0",
    ]
    registers = "\r\n".join([*head, "", ""]).encode()
    return [
        registers,
        registers.replace(b"CSeq:", b"X-CSeq:"),
        mark.encode() + b"\x00\x1b[2J\r\n\r\n",
    ]


async def test_what_clients_send_is_escaped(stage: Stage) -> None:
    log, mark = stage.server.data / "engine/log/notices.log", secrets.token_hex(8)
    host, port = stage.server.sip.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as strange:
        for packet in packets(stage.server.sip, mark):
            strange.sendto(packet, (host, int(port)))

    def told() -> list[str]:
        said = [line["logmsg"]["message"] for line in lines(log)]
        return [message for message in said if mark in message]

    await until(lambda: len(told()) >= 2, "lines about both requests")
    assert any("\x08\x0b" in message for message in told())


@pytest.mark.parametrize("name", ["messages.log", "notices.log", "console.log"])
async def test_a_log_that_has_grown_is_begun_anew(name: str, stage: Stage) -> None:
    log = stage.server.data / "engine/log" / name
    older = log.with_name(f"{name}.1")
    with log.open("ab") as file:
        file.write((b"x" * 99 + b"\n") * (GROWN // 100))
    await until(lambda: older.exists() and older.stat().st_size > GROWN // 2, f"a new {name}")
    await until(log.exists, f"a new {name}")
    assert log.stat().st_size < GROWN // 2
    pid = stage.server.engine_pid
    open_now = await asyncio.to_thread(
        lambda: {f.resolve() for f in Path(f"/proc/{pid}/fd").iterdir()}
    )
    assert log.resolve() in open_now
    assert older.resolve() not in open_now
