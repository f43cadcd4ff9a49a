"""Who knows the ids of a call's dialog, and sends a request in it from elsewhere, is told of in the log."""

from __future__ import annotations

import asyncio
import secrets
import socket

import pytest

from .firm import Firm
from .party import Call
from .ports import loopback
from .waiting import until


def request(call: Call, method: str, address: str) -> bytes:
    """As its own party would send it, but for the address."""
    head = [
        f"{method} {call.target} SIP/2.0",
        f"Via: SIP/2.0/UDP {address}:5060;rport;branch=z9hG4bK{secrets.token_hex(8)}",
        f"From: {call.ours}",
        f"To: {call.theirs}",
        f"Call-ID: {call.id}",
        f"CSeq: 4000 {method}",
        "Max-Forwards: 70",
        f"Contact: <sip:x@{address}:5060>",
        "Content-Length: 0",
    ]
    return "\r\n".join([*head, "", ""]).encode()


def send(call: Call, method: str, address: str) -> None:
    host, port = call.party.server.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 0))
        stranger.sendto(request(call, method, address), (host, int(port)))


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE"])
async def test_a_strangers_request_in_a_call_is_told(method: str, firm: Firm) -> None:
    dialled = await firm.alice.dial("102").up()
    await firm.bob.taken()
    address = loopback()
    send(dialled, method, address)

    def told() -> bool:
        said = [line for line in firm.stage.server.log.splitlines() if "stranger_in_dialog" in line]
        return any(f"address={address}" in line and f"method={method}" in line for line in said)

    await until(told, "a line about the stranger")
    await dialled.hang_up()


async def test_nobody_in_a_call_is_a_stranger(firm: Firm) -> None:
    before = firm.stage.server.log.count("stranger_in_dialog")
    dialled = await firm.alice.dial("0901234567").up()
    theirs = await firm.carrier.taken()
    await dialled.hold()
    await dialled.resume()
    await theirs.hang_up()
    await dialled.over()
    await asyncio.sleep(1.5)  # the trace is written once a second
    assert firm.stage.server.log.count("stranger_in_dialog") == before
