"""Bare SIP over UDP, for what no well-behaved phone would send, and for phones that SIPp plays."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

T1 = 0.5
"""RFC 3261, 17.1.1.1: the first retransmission comes after this many seconds."""


class Answer(msgspec.Struct, frozen=True):
    """A final response: its code, its header fields (the last one of each name), and its body."""

    code: int
    headers: dict[str, str]
    body: str = ""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends: from where, as which user, and with which credentials, if any."""

    address: str
    server: str
    user: str
    password: str = ""
    port: int = 0
    contact: str = ""
    codecs: tuple[str, ...] = ("0 PCMU/8000",)
    redirect: str = ""
    """Where calls to it are sent (302), as a Contact; without, it is busy."""

    async def register(self, expires: int = 600) -> Answer:
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

    async def invite(self, number: str) -> Answer:
        """INVITE with an offer; a call that is answered is ended at once."""
        return await self._ask("INVITE", f"sip:{number}@{self.server}", number, [])

    async def _ask(self, method: str, uri: str, to: str, extra: list[str]) -> Answer:
        async with asyncio.timeout(40):
            return await _Dialogue(self, method, uri, to, extra).run()


class _Dialogue(asyncio.DatagramProtocol):
    """One request, sent again with credentials when it is challenged."""

    def __init__(self, who: Caller, method: str, uri: str, to: str, extra: list[str]) -> None:
        self.who, self.method, self.uri, self.to, self.extra = who, method, uri, to, extra
        self.call_id, self.tag = secrets.token_hex(8), secrets.token_hex(4)
        self.cseq, self.answers = 0, asyncio.Queue[str]()

    def datagram_received(self, data: bytes, addr: object) -> None:
        text = data.decode(errors="replace")
        if text.startswith("SIP/2.0 "):
            self.answers.put_nowait(text)
        elif text.startswith(("OPTIONS", "INVITE")):
            self.transport.sendto(_declined(text, self.who.redirect))

    async def run(self, close: bool = True) -> Answer:
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

    async def exchange(self) -> Answer:
        """The request, and once more with credentials if they are asked for."""
        answer = await self._transaction([])
        challenge = answer.headers.get("www-authenticate")
        challenge = challenge or answer.headers.get("proxy-authenticate")
        if answer.code in (401, 407) and challenge and self.who.password:
            answer = await self._transaction([self._credentials(answer.code, challenge)])
        return answer

    async def _transaction(self, credentials: list[str]) -> Answer:
        self.cseq += 1
        self.branch = f"z9hG4bK{secrets.token_hex(8)}"
        request = self._request(self.method, self.uri, [*self.extra, *credentials], "")
        wait, provisional = T1, False
        self.transport.sendto(request)
        while True:
            try:
                raw = await asyncio.wait_for(self.answers.get(), wait)
            except TimeoutError:
                if not provisional:
                    self.transport.sendto(request)
                    wait = min(wait * 2, 4)
                continue
            answer = _parsed(raw)
            if answer is None or f"{self.cseq} {self.method}" != answer.headers.get("cseq"):
                continue
            if answer.code >= 200:
                return self._finished(answer)
            provisional, wait = True, 40

    def _finished(self, answer: Answer) -> Answer:
        if self.method == "INVITE":
            self.transport.sendto(self._request("ACK", self.uri, [], answer.headers["to"]))
            if answer.code < 300:
                self.branch = f"z9hG4bK{secrets.token_hex(8)}"
                self.cseq += 1
                self.transport.sendto(self._request("BYE", self.uri, [], answer.headers["to"]))
        return answer

    def _request(self, method: str, uri: str, extra: list[str], to: str) -> bytes:
        host, port = self.transport.get_extra_info("sockname")
        body = _offer(host, self.who.codecs) if method == "INVITE" else ""
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch={self.branch}",
            "Max-Forwards: 70",
            f"From: <sip:{self.who.user}@{self.who.server}>;tag={self.tag}",
            f"To: {to or f'<sip:{self.to}@{self.who.server}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {method}",
            f"Contact: <sip:{self.who.contact or f'{self.who.user}@{host}:{port}'}>",
            *extra,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def _credentials(self, code: int, challenge: str) -> str:
        """RFC 2617 with MD5, with qop=auth where the challenge offers it."""
        asked = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge))
        secret = _md5(f"{self.who.user}:{asked['realm']}:{self.who.password}")
        what = _md5(f"{self.method}:{self.uri}")
        nonce, cnonce = asked["nonce"], secrets.token_hex(8)
        middle = f"{nonce}:00000001:{cnonce}:auth" if "qop" in asked else nonce
        fields = {
            "username": self.who.user,
            "realm": asked["realm"],
            "nonce": nonce,
            "uri": self.uri,
            "response": _md5(f"{secret}:{middle}:{what}"),
            **({"cnonce": cnonce} if "qop" in asked else {}),
            **({"opaque": asked["opaque"]} if "opaque" in asked else {}),
        }
        text = ", ".join(f'{name}="{value}"' for name, value in fields.items())
        text += ", algorithm=MD5" + (", qop=auth, nc=00000001" if "qop" in asked else "")
        return f"{'Proxy-' if code == 407 else ''}Authorization: Digest {text}"


def _parsed(raw: str) -> Answer | None:
    first, *lines = raw.partition("\r\n\r\n")[0].split("\r\n")
    if not first.startswith("SIP/2.0 "):
        return None
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Answer(int(first.split()[1]), headers, raw.partition("\r\n\r\n")[2])


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
        text = data.decode(errors="replace")
        if text.startswith(("OPTIONS", "INVITE")):
            self.invites += [text] if text.startswith("INVITE") else []
            self.transport.sendto(_declined(text, self.redirect), addr)  # type: ignore[attr-defined]


def _declined(request: str, redirect: str) -> bytes:
    if request.startswith("OPTIONS"):
        return _respond(request, "200 OK")
    if redirect:
        return _respond(request, "302 Moved Temporarily", f"Contact: {redirect}\r")
    return _respond(request, "486 Busy Here")


def _respond(request: str, code: str, *more: str) -> bytes:
    kept = re.findall(
        r"^(?:Via|From|To|Call-ID|CSeq):.*\r$", request.partition("\r\n\r\n")[0] + "\r", re.M
    )
    tagged = [line[:-1] + ";tag=mine\r" if line.startswith("To:") else line for line in kept]
    return "\n".join(
        [f"SIP/2.0 {code}\r", *tagged, *more, "Content-Length: 0\r", "\r", ""]
    ).encode()


def _offer(host: str, codecs: tuple[str, ...]) -> str:
    types = " ".join(codec.split()[0] for codec in codecs)
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio 9 RTP/AVP {types}\r\n" + "".join(f"a=rtpmap:{codec}\r\n" for codec in codecs)
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
