"""A server with two phones and a carrier, and somebody who sends it what nobody sends."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from random import Random

from whole.ports import loopback
from whole.sip import Caller, Carrier
from whole.sip_message import Message, credentials, parsed
from whole.stage import Device, Stage, together

from .mutations import changed
from .torture import INVITE_BODY, METHODS, message, torture

_SAID = b"127.9.9."
"""Addresses that messages name: those of bystanders, to whom nothing may ever be sent."""
_AT_ONCE = 25
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_GROWTH_MB = 150


class _Bystander(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: list[bytes] = []

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.got.append(data)


class _Thief(asyncio.DatagramProtocol):
    """A nonce is good for who was given it, for some seconds."""

    def __init__(self) -> None:
        self._refusal: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._refusal.done():
            self._refusal.set_result(parsed(data))

    async def proof(self, device: Device, uri: str, invite: str) -> bytes:
        """The field with credentials for such an INVITE."""
        async with asyncio.timeout(20):
            # What was sent before may have left no room for it: as every phone, anew.
            while not self._refusal.done():
                self.transport.sendto(invite.encode())
                await asyncio.wait([self._refusal], timeout=0.5)
        refusal = self._refusal.result()
        assert refusal
        name, value = credentials(device.sip_user, device.password, "INVITE", uri, refusal)
        return f"{name}: {value}".encode()


class Attack:
    """``set_up``, then the kinds of attack, each giving how many messages it sent; ``findings`` in the end."""

    def __init__(self, stage: Stage, seed: int, messages: int) -> None:
        self.stage, self.server, self.at, self.messages = (
            stage,
            stage.server,
            Random(seed),
            messages,
        )
        self.found: list[str] = []
        self.carrier = Carrier()
        self.bystanders = [_Bystander() for _ in range(3)]

    async def set_up(self) -> None:
        stage, loop = self.stage, asyncio.get_running_loop()
        host, port = self.server.sip.rsplit(":", 1)
        self.to = host, int(port)
        self.tenant = await stage.tenant()
        carrier, network = loopback(), f"127.{secrets.randbelow(99) + 100}.77."
        await self.tenant.trunk(f"{carrier}:5060", "--match", carrier)
        self._ends = [await loop.create_datagram_endpoint(lambda: self.carrier, (carrier, 5060))]
        for number, bystander in zip((7, 8, 9), self.bystanders, strict=True):
            place = (f"{network}{number}", 5060)
            self._ends.append(
                await loop.create_datagram_endpoint(lambda each=bystander: each, place)  # type: ignore[misc]
            )
        self.network = network.encode()
        self.alice, self.bob, self.carol = await self.tenant.people(
            alice=("--extension", "101"), bob=("--extension", "102"), carol=("--extension", "103")
        )
        self.phones = await together(
            stage.phone(self.alice, tone=500), stage.phone(self.bob, tone=900)
        )
        self.pid, self.memory = self.server.engine_pid, self._memory()

    # ---- The kinds ------------------------------------------------------------------------------------

    async def torture(self) -> int:
        cases = [data for _, data in torture(self.at)]
        await self._send(cases)
        return len(cases)

    async def over_tcp(self) -> int:
        """The same, each on a connection of its own, and some of them in pieces."""
        cases = [self._aimed(data) for _, data in torture(self.at)]
        for begin in range(0, len(cases), _AT_ONCE):
            await together(*(self._by_tcp(data) for data in cases[begin : begin + _AT_ONCE]))
        await self._alive("after messages by TCP")
        return len(cases)

    async def strangers(self) -> int:
        await self._send(self._at_random(self.messages))
        self.found += [f"the carrier was sent {one[:80]!r}" for one in self.carrier.invites[:3]]
        return self.messages

    async def a_device(self) -> int:
        """One whose password was stolen: all but who it is is changed at random."""
        count, who = self.messages // 5, {"from": f"<sip:{self.carol.sip_user}@a>;tag=1"}
        for _ in range(0, count, 50):
            thief = _Thief()
            await self._open(thief)
            proof = await thief.proof(
                self.carol, self._uri, message(self.at, "INVITE", self._uri, INVITE_BODY, **who)
            )
            made = []
            for _ in range(50):
                whole = message(self.at, "INVITE", self._uri, INVITE_BODY, **who).encode()
                first, _, rest = whole.partition(b"\r\n")
                rest = changed(rest, self.at, self.at.choice((1, 1, 2, 4)))
                made.append(b"\r\n".join([first, proof, rest]))
            await self._send(made, thief)
            thief.transport.close()
        if not self.carrier.invites:
            self.found.append(
                "no message of a device got through, so this attack has shown nothing"
            )
        return count

    # ---- What came of it ------------------------------------------------------------------------------

    async def findings(self) -> list[str]:
        await self._talk()
        await self._expect_sound_logs()
        for bystander in self.bystanders:
            self.found += [f"a bystander was sent {data[:60]!r}" for data in bystander.got[:3]]
        if (grown := self._memory() - self.memory) > _GROWTH_MB:
            self.found.append(f"the engine has grown by {grown:.0f} MB")
        for transport, _ in self._ends:
            transport.close()
        return self.found

    async def _talk(self) -> None:
        """A call that must still be possible, with sound both ways, and its record."""
        one, two = self.phones
        await one.dial("102")
        await together(one.wait_for("CALL_ESTABLISHED"), two.wait_for("CALL_ESTABLISHED"))
        await asyncio.sleep(2)
        await one.hang_up()
        await together(one.wait_for("CALL_CLOSED"), two.wait_for("CALL_CLOSED"))
        if min(one.heard.share(0, 900), two.heard.share(0, 500)) < 0.5:
            self.found.append("a call afterwards had no sound")

    async def _expect_sound_logs(self) -> None:
        log = self.server.log
        for word in ("Traceback", "[error", '"level": "error"'):
            if word in log:
                at = log.index(word)
                self.found.append(f"the server's log: {log[at : at + 300]!r}")
        for file in (self.server.data / "engine").rglob("*.log"):
            if odd := _CONTROL.search(data := file.read_bytes()):
                self.found.append(
                    f"{file.name}: {data[max(odd.start() - 60, 0) : odd.end() + 20]!r}"
                )
        if not await self.server.healthy():
            self.found.append("/healthz is not 200")

    async def _alive(self, when: str) -> None:
        if self.server.engine_pid != self.pid:
            raise AssertionError(f"the engine has ended {when}")
        bob = Caller(
            address=loopback(),
            server=self.server.sip,
            user=self.carol.sip_user,
            password=self.carol.password,
        )
        answer = await bob.register()
        if answer.code != 200:
            self.found.append(f"a phone's REGISTER {when}: {answer.first}")

    def _memory(self) -> float:
        status = Path(f"/proc/{self.server.engine_pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    # ---- Sending --------------------------------------------------------------------------------------

    def _at_random(self, count: int) -> Iterable[bytes]:
        for _ in range(count):
            method = self.at.choice((*METHODS, "200 OK", "302 Moved", "401 Unauthorized"))
            user = self.at.choice((self.alice.sip_user, "101", "nobody"))
            body = INVITE_BODY if self.at.random() < 0.5 else ""
            who = {"from": f"<sip:{user}@127.0.0.1>;tag={self.at.getrandbits(32):x}"}
            whole = message(self.at, method, body=body, **who).encode()
            yield changed(whole, self.at, self.at.choice((1, 1, 2, 3, 8)))

    async def _open(self, protocol: asyncio.DatagramProtocol) -> asyncio.DatagramTransport:
        loop, here = asyncio.get_running_loop(), (loopback(), 0)
        transport, _ = await loop.create_datagram_endpoint(lambda: protocol, here, self.to)
        return transport

    async def _send(self, messages: Iterable[bytes], by: _Thief | None = None) -> None:
        waiting = iter(messages)
        while some := list(islice(waiting, 200)):
            transport = by.transport if by else await self._open(asyncio.DatagramProtocol())
            for number, data in enumerate(some):
                transport.sendto(self._aimed(data)[:60_000])
                if number % 20 == 19:
                    await asyncio.sleep(0.05)  # what overflows a socket's buffer is not read
            await self._alive(f"after {some[-1][:60]!r} and those before it")
            if not by:
                transport.close()

    async def _by_tcp(self, data: bytes) -> None:
        try:
            _, writer = await asyncio.open_connection(*self.to, local_addr=(loopback(), 0))
            for begin in range(0, len(data), step := self.at.choice((100_000, 700, 7000))):
                writer.write(data[begin : begin + step])
                await writer.drain()
                await asyncio.sleep(0.01)
            writer.close()
        except OSError:
            pass  # it may hang up on us at any time

    def _aimed(self, data: bytes) -> bytes:
        return data.replace(_SAID, self.network)

    @property
    def _uri(self) -> str:
        return f"sip:0901234567@{self.server.sip}"
