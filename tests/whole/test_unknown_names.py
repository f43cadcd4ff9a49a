"""Which names are devices is told neither by what is answered nor by how long that takes."""

from __future__ import annotations

import asyncio
import random
import re
import secrets
import time
from collections.abc import Callable

import pytest

from . import sip_message
from .ports import loopback
from .stage import Stage, together

PROBES = 120
METHODS = ("REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE")
ITS_OWN = re.compile(
    r'nonce="[^"]*"|opaque="[^"]*"|tag=[^;\r]+|branch=[^;\r]+|Call-ID: .*|sip:[^>]*>', re.I
)
"""What differs in each answer, or was in the request."""


class Prober(asyncio.DatagramProtocol):
    """Sends requests, one after the other, and takes the time until each is answered."""

    def __init__(self, server: str) -> None:
        self.server, self.answer = server, asyncio.Queue[tuple[bytes, int]]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.answer.put_nowait((data, time.perf_counter_ns()))

    async def ask(self, method: str, user: str, *more: str) -> tuple[str, int]:
        """The answer and the nanoseconds until it came."""
        host, port = self.transport.get_extra_info("sockname")
        where = f"sip:{self.server}" if method == "REGISTER" else f"sip:101@{self.server}"
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        lines = [
            f"{method} {where} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch={branch}",
            f"From: <sip:{user}@{self.server}>;tag={secrets.token_hex(4)}",
            f"To: <sip:{user}@{self.server}>",
            f"Call-ID: {secrets.token_hex(8)}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:{user}@{host}:{port}>",
            "Max-Forwards: 70",
            *more,
            "Content-Length: 0",
        ]
        request = "\r\n".join([*lines, "", ""])
        sent = time.perf_counter_ns()
        self.transport.sendto(request.encode())  # type: ignore[attr-defined]
        while True:
            data, came = await asyncio.wait_for(self.answer.get(), 5)
            found = sip_message.parsed(data)
            if found is not None and branch in found["Via"] and found.code >= 200:
                if method == "INVITE":
                    ack = request.replace("INVITE", "ACK")
                    self.transport.sendto(ack.encode())  # type: ignore[attr-defined]
                return data.decode(), came - sent


def told_apart(known: list[int], unknown: list[int]) -> float:
    """Which share the best single threshold would judge right: 0.5 is chance."""
    both = sorted([(took, 1) for took in known] + [(took, -1) for took in unknown])
    ahead = best = 0
    for _, whose in both:
        ahead += whose
        best = max(best, abs(ahead))
    return 0.5 + best / len(both)


def wrong(user: str, server: str) -> str:
    return (
        f'Authorization: Digest username="{user}", realm="trunkline", nonce="1/a", '
        f'uri="sip:{server}", response="{secrets.token_hex(16)}", algorithm=MD5'
    )


CREDENTIALS: dict[str, Callable[[str, str], list[str]]] = {
    "none": lambda user, server: [],
    "wrong ones": lambda user, server: [wrong(user, server)],
    "another's": lambda user, server: [wrong("another", server)],
}


@pytest.mark.parametrize("credentials", CREDENTIALS)
async def test_a_name_that_no_device_has_is_answered_as_a_devices(
    credentials: str, stage: Stage
) -> None:
    tenant = await stage.tenant()
    devices = await together(*(tenant.user(f"user{n}") for n in range(3)))
    server = stage.server.sip
    host, port = server.split(":")
    transport, prober = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Prober(server), local_addr=(loopback(), 0), remote_addr=(host, int(port))
    )
    took: dict[bool, list[int]] = {True: [], False: []}
    said: dict[bool, set[str]] = {True: set(), False: set()}
    try:
        for n in range(PROBES):
            for is_known in random.sample([True, False], 2):
                user = random.choice(devices).sip_user
                user = user if is_known else f"user-{secrets.token_hex(4)}"
                more = CREDENTIALS[credentials](user, server)
                answer, nanoseconds = await prober.ask(METHODS[n % len(METHODS)], user, *more)
                took[is_known].append(nanoseconds)
                said[is_known].add(ITS_OWN.sub("", answer))
    finally:
        transport.close()
    assert said[True] == said[False]
    assert told_apart(took[True], took[False]) < 0.75
