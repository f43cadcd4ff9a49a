"""A phone that transfers, with and without asking first: bare SIP over UDP, without any audio."""

from __future__ import annotations

import asyncio
import re
import secrets
from urllib.parse import quote

import msgspec

from whole.sip import Caller, _md5, _offer


class Dialog(msgspec.Struct):
    """One answered call of the phone (RFC 3261, 12)."""

    call_id: str
    tag: str
    number: str
    to: str = ""
    cseq: int = 0

    @property
    def to_tag(self) -> str:
        return re.sub(r".*;tag=", "", self.to)


class Transferring(asyncio.DatagramProtocol):
    """Registered; ``call`` gives a dialog, ``refer`` transfers it."""

    def __init__(self, server: str, user: str, password: str) -> None:
        self.server, self.user, self.password = server, user, password
        self.answers: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    async def registered(
        cls, address: str, port: int, server: str, user: str, password: str
    ) -> Transferring:
        who = Caller(address=address, port=port, server=server, user=user, password=password)
        answer = await who.register()
        assert answer.code == 200, answer
        await asyncio.sleep(0.2)  # until the port is free again
        host, server_port = server.rsplit(":", 1)
        _, phone = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: cls(server, user, password),
            local_addr=(address, port),
            remote_addr=(host, int(server_port)),
        )
        return phone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: object) -> None:
        text = data.decode(errors="replace")
        if text.startswith("SIP/2.0"):
            self.answers.put_nowait(text)
            return
        head = text.partition("\r\n\r\n")[0].split("\r\n")
        echoed = [line for line in head if re.match(r"(Via|From|To|Call-ID|CSeq):", line, re.I)]
        if not text.startswith("ACK"):
            answer = "\r\n".join(["SIP/2.0 200 OK", *echoed, "Content-Length: 0", "", ""])
            self.transport.sendto(answer.encode())

    async def call(self, number: str) -> Dialog:
        """Call a number; gives the dialog once it is answered."""
        dialog = Dialog(secrets.token_hex(8), secrets.token_hex(4), number)
        code, head = await self._ask(dialog, "INVITE", [])
        assert code == 200, head
        dialog.to = _header(head, "To")
        self._send(dialog, "ACK", [], dialog.cseq)
        return dialog

    async def refer(self, dialog: Dialog, to: Dialog | str) -> None:
        """Transfer to a number, or to the other side of another call of ours."""
        if isinstance(to, Dialog):
            replaces = f"{to.call_id};to-tag={to.to_tag};from-tag={to.tag}"
            target = f"sip:{to.number}@{self.server}?Replaces={quote(replaces, safe='')}"
        else:
            target = f"sip:{to}@{self.server}"
        more = [f"Refer-To: <{target}>", f"Referred-By: <sip:{self.user}@{self.server}>"]
        code, head = await self._ask(dialog, "REFER", more)
        assert code == 202, head

    def close(self) -> None:
        self.transport.close()

    async def _ask(self, dialog: Dialog, method: str, more: list[str]) -> tuple[int, str]:
        code, head = await self._transaction(dialog, method, more)
        if code == 401:
            if method == "INVITE":
                self._send(dialog, "ACK", [], dialog.cseq, _header(head, "To"))
            credentials = self._credentials(dialog, method, head)
            code, head = await self._transaction(dialog, method, [*more, credentials])
        return code, head

    async def _transaction(self, dialog: Dialog, method: str, more: list[str]) -> tuple[int, str]:
        dialog.cseq += 1
        self._send(dialog, method, more, dialog.cseq)
        while True:
            head = (await asyncio.wait_for(self.answers.get(), 10)).partition("\r\n\r\n")[0]
            code = int(head.split()[1])
            if code >= 200 and _header(head, "CSeq") == f"{dialog.cseq} {method}":
                return code, head

    def _send(self, dialog: Dialog, method: str, more: list[str], cseq: int, to: str = "") -> None:
        host, port = self.transport.get_extra_info("sockname")
        body = _offer(host) if method == "INVITE" else ""
        lines = [
            f"{method} sip:{dialog.number}@{self.server} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK{secrets.token_hex(8)}",
            "Max-Forwards: 70",
            f"From: <sip:{self.user}@{self.server}>;tag={dialog.tag}",
            f"To: {to or dialog.to or f'<sip:{dialog.number}@{self.server}>'}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self.user}@{host}:{port}>",
            *more,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.transport.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _credentials(self, dialog: Dialog, method: str, head: str) -> str:
        asked = dict(re.findall(r'(\w+)="?([^",]*)"?', _header(head, "WWW-Authenticate")))
        uri, cnonce = f"sip:{dialog.number}@{self.server}", secrets.token_hex(8)
        secret = _md5(f"{self.user}:{asked['realm']}:{self.password}")
        middle = f"{asked['nonce']}:00000001:{cnonce}:auth"
        response = _md5(f"{secret}:{middle}:{_md5(f'{method}:{uri}')}")
        return (
            f'Authorization: Digest username="{self.user}", realm="{asked["realm"]}", '
            f'nonce="{asked["nonce"]}", uri="{uri}", response="{response}", cnonce="{cnonce}", '
            f'opaque="{asked.get("opaque", "")}", algorithm=MD5, qop=auth, nc=00000001'
        )


def _header(head: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(.*?)\r?$", head, re.I | re.M)
    return found[1] if found else ""
