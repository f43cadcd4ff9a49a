"""Bare SIP over UDP, for what no well-behaved phone would send, and for phones that SIPp plays."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from . import sip_message
from .sip_message import Message

T1 = 0.5
"""RFC 3261, 17.1.1.1: the first retransmission comes after this many seconds."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends: from where, as which user, and with which credentials, if any."""

    address: str
    server: str
    user: str
    password: str = ""
    port: int = 0
    contact: str = ""
    record_route: str = ""
    display: str = ""
    """The display name in From, as it is written there: with its quotes and quoted pairs."""
    invited: list[str] = msgspec.field(default_factory=list)
    """Every INVITE that came while ``registered``."""
    codecs: tuple[str, ...] = ("0 PCMU/8000",)
    profile: str = "RTP/AVP"
    more_sdp: str = ""
    """Further lines of its offer's audio, each with its end."""
    redirect: str = ""
    """Where calls to it are sent (302), as a Contact; without, it is busy."""

    async def register(self, expires: int = 600) -> Message:
        """REGISTER ``contact`` (USER@HOST:PORT; the sender's own when empty).

        A server that minds NAT goes by the sender's own port instead, so set that one, too.
        """
        extra = [f"Expires: {expires}"]
        return await self._ask("REGISTER", f"sip:{self.server}", self.user, extra)

    @asynccontextmanager
    async def registered(self) -> AsyncIterator[None]:
        """Be a registered phone that answers OPTIONS at once, and no call."""
        dialogue = _Dialogue(self, "REGISTER", f"sip:{self.server}", self.user, ["Expires: 600"])
        async with asyncio.timeout(40):
            answer = await dialogue.run(close=False)
        try:
            assert answer.code == 200, answer
            yield
            dialogue.extra = ["Expires: 0"]  # else it is not called until its next OPTIONS
            async with asyncio.timeout(40):
                await dialogue.exchange()
        finally:
            dialogue.transport.close()

    async def invite(self, number: str) -> Message:
        """INVITE with an offer; a call that is answered is ended at once."""
        extra = [f"Record-Route: <{self.record_route}>"] if self.record_route else []
        return await self._ask("INVITE", f"sip:{number}@{self.server}", number, extra)

    async def _ask(self, method: str, uri: str, to: str, extra: list[str]) -> Message:
        async with asyncio.timeout(40):
            return await _Dialogue(self, method, uri, to, extra).run()


class _Dialogue(asyncio.DatagramProtocol):
    """One request, sent again with credentials when it is challenged."""

    def __init__(self, who: Caller, method: str, uri: str, to: str, extra: list[str]) -> None:
        self.who, self.method, self.uri, self.to, self.extra = who, method, uri, to, extra
        self.call_id, self.tag = secrets.token_hex(8), secrets.token_hex(4)
        self.cseq, self.answers = 0, asyncio.Queue[Message]()

    def datagram_received(self, data: bytes, addr: object) -> None:
        message = sip_message.parsed(data)
        if message and message.code:
            self.answers.put_nowait(message)
        elif message and message.method in ("OPTIONS", "INVITE"):
            if message.method == "INVITE":
                self.who.invited.append(data.decode(errors="replace"))
            self.transport.sendto(_declined(message, self.who.redirect))

    async def run(self, close: bool = True) -> Message:
        loop = asyncio.get_running_loop()
        host, port = self.who.server.rsplit(":", 1)
        self.transport, _ = await loop.create_datagram_endpoint(
            lambda: self,
            local_addr=(self.who.address, self.who.port),
            remote_addr=(host, int(port)),
        )
        try:
            return await self.exchange()
        finally:
            if close:
                self.transport.close()
                await asyncio.sleep(0)  # the socket is closed in the loop's next turn

    async def exchange(self) -> Message:
        """The request, and once more with credentials if they are asked for."""
        answer = await self._transaction([])
        if answer.code in (401, 407) and sip_message.challenged(answer) and self.who.password:
            who = self.who
            proof = sip_message.credentials(who.user, who.password, self.method, self.uri, answer)
            answer = await self._transaction([": ".join(proof)])
        return answer

    async def _transaction(self, credentials: list[str]) -> Message:
        self.cseq += 1
        self.branch = f"z9hG4bK{secrets.token_hex(8)}"
        request = self._request(self.method, self.uri, [*self.extra, *credentials], "")
        wait, provisional = T1, False
        self.transport.sendto(request)
        while True:
            try:
                answer = await asyncio.wait_for(self.answers.get(), wait)
            except TimeoutError:
                if not provisional:
                    self.transport.sendto(request)
                    wait = min(wait * 2, 4)
                continue
            if answer["CSeq"] != f"{self.cseq} {self.method}":
                continue
            if answer.code >= 200:
                return self._finished(answer)
            provisional, wait = True, 40

    def _finished(self, answer: Message) -> Message:
        if self.method == "INVITE":
            self.transport.sendto(self._request("ACK", self.uri, [], answer["To"]))
            if answer.code < 300:
                self.branch = f"z9hG4bK{secrets.token_hex(8)}"
                self.cseq += 1
                self.transport.sendto(self._request("BYE", self.uri, [], answer["To"]))
        return answer

    def _request(self, method: str, uri: str, extra: list[str], to: str) -> bytes:
        host, port = self.transport.get_extra_info("sockname")
        body = _offer(host, self.who) if method == "INVITE" else ""
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch={self.branch}",
            "Max-Forwards: 70",
            f"From: {self.who.display}<sip:{self.who.user}@{self.who.server}>;tag={self.tag}",
            f"To: {to or f'<sip:{self.to}@{self.who.server}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {method}",
            f"Contact: <sip:{self.who.contact or f'{self.who.user}@{host}:{port}'}>",
            *extra,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Carrier(asyncio.DatagramProtocol):
    """A carrier that is known by its address, and answers each call with a redirect or as busy."""

    def __init__(self, redirect: str = "") -> None:
        self.redirect = redirect
        self.invites: list[str] = []

    @asynccontextmanager
    async def at(self, address: str, port: int) -> AsyncIterator[Carrier]:
        """Listen there."""
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(address, port)
        )
        try:
            yield self
        finally:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        message = sip_message.parsed(data)
        if message and message.method in ("OPTIONS", "INVITE"):
            if message.method == "INVITE":
                self.invites.append(data.decode(errors="replace"))
            self.transport.sendto(_declined(message, self.redirect), addr)  # type: ignore[attr-defined]


def _declined(request: Message, redirect: str) -> bytes:
    if request.method == "OPTIONS":
        return sip_message.response(request, 200, "OK").encoded()
    if redirect:
        contact = [("Contact", redirect)]
        return sip_message.response(request, 302, "Moved Temporarily", more=contact).encoded()
    return sip_message.response(request, 486, "Busy Here").encoded()


def _offer(host: str, who: Caller) -> str:
    types = " ".join(codec.split()[0] for codec in who.codecs)
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio 9 {who.profile} {types}\r\n"
        + "".join(f"a=rtpmap:{codec}\r\n" for codec in who.codecs)
        + who.more_sdp
    )
