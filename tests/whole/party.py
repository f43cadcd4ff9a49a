"""A scripted SIP party: a phone, or somebody out in the world at a carrier's address.

It speaks SIP over UDP as RFC 3261 asks, and RTP with a tone of its own in each call, so that a test
can tell who hears whom. It does what a test tells it to do, several calls at once::

    talk = await alice.dial("102").up()      # bob takes his calls by himself
    await talk.voice.hears(bob.tone)
    await talk.transfer("103")
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import msgspec

from .codecs import PCMU, Codec, Formats, common, offered
from .exact_voice import ExactVoice, Network
from .sip import T1
from .sip_message import (
    Message,
    challenged,
    credentials,
    formats_of,
    media_of,
    parameter,
    parsed,
    response,
    sdp,
    uri_of,
    user_of,
)
from .voice import Voice
from .waiting import NeverHappened, until

T2, TIMER_B = 4.0, 32.0
"""RFC 3261, 17.1.1.1: the longest pause between retransmissions, and when one gives up."""

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    401: "Unauthorized",
    404: "Not Found",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}


class Taking(msgspec.Struct, frozen=True):
    """How a call that comes in is taken.

    It is alerted by ``alert`` (180; 183 with SDP and the tone; 0: not at all) and answered with
    ``code`` after so many seconds; None is by hand. ``to`` is the Contact of a 302 (None: it has none); ``tone`` is
    what is said, where it is not the party's own.
    """

    after: float | None = 0
    code: int = 200
    alert: int = 180
    to: str | None = ""
    tone: int = 0


BY_HAND = Taking(after=None)
"""It rings until the test answers or refuses."""


class Call:
    """One dialog (RFC 3261, 12) with its sound; made by ``Party.dial``, or by an INVITE that came."""

    def __init__(self, party: Party, number: str, id_: str, incoming: bool) -> None:
        self.party, self.number, self.id, self.incoming = party, number, id_, incoming
        self.tone = party.tone
        self.tag, self.ours, self.theirs = secrets.token_hex(4), "", ""
        self.target = ""
        self.invite: Message | None = None
        """The INVITE that began it, as it came or was sent."""
        self.alerts: list[int] = []
        """The 1xx above 100 that came."""
        self.code = 0
        """What the INVITE was answered with."""
        self.answer: Message | None = None
        """The final response that came to our INVITE."""
        self.referred: list[int] = []
        """What the NOTIFYs of a REFER said."""
        self.ended_by = ""
        """``us`` or ``them``, once it is over."""
        self.up_at = self.moved_at = self.over_at = 0.0
        """When it was answered, when a REFER was accepted, and its end: monotonic seconds, or 0."""
        self.last: Message | None = None
        """The BYE or CANCEL that came."""
        self.held_by_us = self.given = False
        self.codecs = party.codecs
        """What we offer or answer, the most wanted first."""
        self.voice: Any
        """A ``Voice``, or an ``ExactVoice`` where the party has a ``network``."""
        self._numbers, self._version = itertools.count(1), itertools.count(1)
        self._acked: dict[int, asyncio.Event] = {}
        self._sent: Message | None = None
        self._cancelled = self._provisional = False

    # ---- What a test does -------------------------------------------------------------------------

    async def up(self, timeout: float = 20) -> Call:
        """Wait until it is answered."""
        await self._until(lambda: self.up_at, "an answer", timeout)
        return self

    async def alerted(self, code: int = 0, timeout: float = 20) -> Call:
        """Wait until the far end alerts (by that 1xx)."""
        wanted = lambda: code in self.alerts if code else self.alerts  # noqa: E731
        await self._until(wanted, f"an alert {code or ''}", timeout)
        return self

    async def over(self, timeout: float = 20) -> Call:
        """Wait until it has ended, whoever ended it."""
        await until(lambda: self.over_at, f"the end of {self}", timeout)
        return self

    async def pick_up(self) -> Call:
        """Answer a call that rings."""
        await self.party._accept(self)
        return self

    async def refuse(self, code: int, to: str | None = "") -> None:
        """Refuse a call that rings; ``to`` is the Contact of a 302."""
        await self.party._refuse(self, code, to)

    async def hang_up(self) -> None:
        """BYE; CANCEL, or 486, where it has not been answered."""
        if self.over_at:
            return
        if self.up_at:
            self._over("us")
            await self.party._ask(self, "BYE")
        elif self.incoming:
            await self.refuse(486)
        else:
            await self._give_up()

    async def hold(self) -> None:
        """Put the far end on hold: nothing is said meanwhile, and nothing is wanted."""
        self.held_by_us, self.voice.speaking = True, False
        await self._reinvite()

    async def resume(self) -> None:
        """Take the far end back."""
        self.held_by_us = False
        await self._reinvite()
        self.voice.speaking = True

    async def change(self, *codecs: Codec) -> None:
        """Offer other codecs; what is answered is spoken from then on."""
        self.codecs = codecs
        await self._reinvite()

    async def transfer(self, to: str | Call) -> list[int]:
        """REFER the far end to a number, or to the far end of another call (attended).

        Gives what the NOTIFYs said; when the transfer has gone through, our call is over.
        """
        if isinstance(to, Call):
            where = uri_of(to.theirs).partition(";")[0] if to.incoming else to.uri
            target = f"{where}?Replaces={quote(to.replaces, safe='')}"
        else:
            target = f"sip:{to}@{self.party.server}"
        return await self.refer(target)

    async def refer(self, target: str) -> list[int]:
        """REFER the far end to a URI, as ``transfer`` does."""
        more = [("Refer-To", f"<{target}>"), ("Referred-By", f"<{self.party.uri}>")]
        answer = await self.party._ask(self, "REFER", more)
        if answer.code >= 300:
            self.referred.append(answer.code)
            return self.referred
        self.moved_at = time.monotonic()
        done = lambda: self.over_at or (self.referred and self.referred[-1] >= 200)  # noqa: E731
        await until(done, f"the end of the transfer of {self}", 40)
        if self.referred and self.referred[-1] < 300:
            try:
                await self.over(0.5)
            except NeverHappened:
                await self.hang_up()
        return self.referred

    def mute(self) -> None:
        """Go on sending, but silence."""
        self.voice.muted = True

    def go_silent(self) -> None:
        """Say nothing more, although the call goes on."""
        self.voice.speaking = False

    # ---- What it is known by ----------------------------------------------------------------------

    @property
    def left_at(self) -> float:
        """When we left: transferred the far end away, or ended it."""
        return self.moved_at or self.over_at

    @property
    def uri(self) -> str:
        """Whom it was placed to."""
        return f"sip:{self.number}@{self.party.server}"

    @property
    def far_tag(self) -> str:
        """The far end's tag."""
        return parameter(self.theirs, "tag")

    @property
    def replaces(self) -> str:
        """What somebody else says to take this call over (RFC 3891, as the far end knows it)."""
        return f"{self.id};to-tag={self.far_tag};from-tag={self.tag}"

    @property
    def caller_id(self) -> str:
        """The number in the From of the INVITE; empty where there is none."""
        return user_of(self.invite["From"]) if self.invite else ""

    def __repr__(self) -> str:
        way = "from" if self.incoming else "to"
        return f"{self.party.user}'s call {way} {self.caller_id if self.incoming else self.number}"

    # ---- Inside -----------------------------------------------------------------------------------

    async def _until(self, wanted: Callable[[], object], what: str, timeout: float) -> None:
        await until(lambda: wanted() or self.over_at, f"{what} to {self}", timeout)
        if not wanted():
            raise NeverHappened(f"{self} ended ({self.code}) without {what}")

    async def _give_up(self) -> None:
        self._cancelled = True
        await until(lambda: self.alerts or self.code or self._provisional, f"a 1xx to {self}", 20)
        if not self.code and self._sent:
            kept = ("via", "from", "to", "call-id", "max-forwards", "route")
            fields = [each for each in self._sent.fields if each[0].lower() in kept]
            cancel = (*fields, ("CSeq", f"{self._sent.number} CANCEL"))
            uri = self._sent.first.split()[1]
            await self.party._transaction(Message(f"CANCEL {uri} SIP/2.0", cancel))
        await self.over()

    async def _reinvite(self) -> None:
        answer = await self.party._ask(self, "INVITE", body=self._sdp())
        assert answer.code == 200, answer
        self._heard_sdp(answer.body)

    def _sdp(self, theirs: str = "sendrecv", formats: Formats = ()) -> str:
        if self.held_by_us:
            direction = "sendonly" if theirs in ("sendrecv", "recvonly") else "inactive"
        else:
            answers = {"sendonly": "recvonly", "recvonly": "sendonly"}
            direction = answers.get(theirs, theirs)
        where = self.party.named or self.party.address, self.voice.port
        return sdp(*where, direction, next(self._version), formats or offered(self.codecs))

    def _fits(self, offer: str) -> Formats:
        """What an offer and we have in common, as we prefer it; all of ours to one without SDP."""
        return common(self.codecs, formats_of(offer)) if offer else offered(self.codecs)

    def _heard_sdp(self, body: str, formats: Formats = ()) -> None:
        """Talk to where the SDP says; in these formats, or in those that an answer has chosen."""
        if body:
            host, port, _ = media_of(body)
            self.voice.talk_to(host, port, formats or formats_of(body))

    def _is_up(self) -> None:
        self.up_at = self.up_at or time.monotonic()

    def _over(self, by: str) -> None:
        if not self.over_at:
            self.over_at, self.ended_by = time.monotonic(), by
            if voice := getattr(self, "voice", None):  # none before its socket is open
                voice.close()


class Party(asyncio.DatagramProtocol):
    """A SIP endpoint at ``address:port``; ``user`` and ``password`` are a device's, or free."""

    def __init__(
        self, server: str, address: str, port: int, user: str, password: str, tone: int
    ) -> None:
        self.server, self.address, self.port = server, address, port
        self.user, self.password, self.tone = user, password, tone
        self.taking = Taking()
        """How calls are taken, where ``takings`` has nothing for the called number."""
        self.takings: dict[str, Taking] = {}
        self.codecs: tuple[Codec, ...] = (PCMU,)
        """What is offered and answered, the most wanted first; all but PCMU needs a ``network``."""
        self.network: Network | None = None
        """If set, what calls say is exactly known (``ExactVoice``), and gets there over that network."""
        self.calls: list[Call] = []
        """Every call, in its order."""
        self.odd: list[str] = []
        """What went wrong in the background."""
        self.trace: deque[str] = deque(maxlen=40)
        """The first lines of the last messages: ``>`` sent, ``<`` got."""
        self.named = ""
        """The address that its SDP names where that is not its own, as behind NAT."""
        self.contact_more = self.route = ""
        """What follows its Contact's URI within the <>, and a Record-Route in its answers."""
        self.contact_at = ""
        """HOST:PORT of its Contact, where that is not its own."""
        self.dead = False
        self._asked: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._answered: dict[tuple[str, str], bytes] = {}
        self._acks: dict[tuple[str, int], bytes] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._registering: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, server: str, address: str, port: int, user: str, password: str = "", tone: int = 440
    ) -> Party:
        """A party that listens; a device has yet to ``register``."""
        loop = asyncio.get_running_loop()
        _, party = await loop.create_datagram_endpoint(
            lambda: cls(server, address, port, user, password, tone), local_addr=(address, port)
        )
        return party

    # ---- What a test does -------------------------------------------------------------------------

    async def register(self, expires: int = 600) -> Party:
        """Be reachable, until ``close``; 0 unregisters."""
        registration = Call(self, "", secrets.token_hex(8), incoming=False)
        more = [("Expires", str(expires))]
        uri = f"sip:{self.server}"
        answer = await self._ask(registration, "REGISTER", more, uri=uri)
        assert answer.code == 200, answer
        if self._registering:
            self._registering.cancel()
        if expires:
            self._registering = asyncio.create_task(self._register_again(expires / 2))
        return self

    async def _register_again(self, after: float) -> None:
        await asyncio.sleep(after)
        self._registering = None
        await self.register(int(after * 2))

    def dial(
        self,
        number: str,
        caller: str | None = None,
        name: str = "",
        tone: int = 0,
        replaces: Call | None = None,
    ) -> Call:
        """Place a call; ``await call.up()`` waits for its answer.

        ``caller`` is the user part of From, empty for none at all; ``replaces`` is somebody's call
        that this one takes over (a ringing one is picked up).
        """
        call = Call(self, number, secrets.token_hex(8), incoming=False)
        call.tone = tone or self.tone
        user = self.user if caller is None else caller
        host = self.server if caller is None else f"{self.address}:{self.port}"
        shown = f'"{name}" ' if name else ""
        call.ours = f"{shown}<sip:{user + '@' if user else ''}{host}>;tag={call.tag}"
        call.theirs = f"<{call.uri}>"
        self.calls.append(call)
        more = [("Replaces", replaces.replaces)] if replaces else []
        self._start(self._place(call, more))
        return call

    async def rung(self, number: str = "", timeout: float = 20) -> Call:
        """The next call (to that number) that comes in, or came in; each is given once."""

        def wanted(call: Call) -> bool:
            return call.incoming and not call.given and number in ("", call.number)

        def next_one() -> Call | None:
            return next(filter(wanted, self.calls), None)

        call = await until(next_one, f"a call to {self.user}\n  {self._tail()}", timeout)
        call.given = True
        return call

    async def taken(self, number: str = "", timeout: float = 20) -> Call:
        """The next call that comes in, once it is answered."""
        return await (await self.rung(number, timeout)).up(timeout)

    @property
    def live(self) -> list[Call]:
        """The calls that are not over."""
        return [call for call in self.calls if not call.over_at]

    def die(self) -> None:
        """Be gone: no sound, and no answer to anything."""
        self.dead = True
        for call in self.live:
            call.voice.speaking = False

    async def forget(self) -> None:
        """Drop all calls without a word: the server has died, and knows of none."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for call in self.live:
            call._over("them")
        self.calls.clear()

    async def close(self) -> None:
        """End all calls and be gone."""
        if not self.dead:
            await asyncio.gather(*(call.hang_up() for call in self.live), return_exceptions=True)
        if self._registering:
            self._registering.cancel()
        await self.forget()
        self._transport.close()

    @property
    def uri(self) -> str:
        """Its address of record."""
        return f"sip:{self.user}@{self.server}"

    async def _voice(self, call: Call) -> Voice | ExactVoice:
        if self.network is None:
            return await Voice.open(self.address, call.tone)
        return ExactVoice(self.address, self.network)

    def _tail(self) -> str:
        return "\n  ".join(self.trace)

    # ---- The wire ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: object) -> None:
        message = None if self.dead else parsed(data)
        if message is None:
            return
        self.trace.append(f"< {message.first} ({message['CSeq']}, {message['Call-ID']})")
        if message.code:
            self._response(message)
        elif done := self._answered.get((message.branch, message.method)):
            self._send(done)
        else:
            self._request(message)

    def _send(self, data: bytes) -> None:
        if data and not self.dead and not self._transport.is_closing():
            self.trace.append("> " + data.partition(b"\r\n")[0].decode())
            host, port = self.server.rsplit(":", 1)
            self._transport.sendto(data, (host, int(port)))

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.odd.append(f"{self.user}: {error!r}")

    # ---- What we ask ------------------------------------------------------------------------------

    async def _ask(
        self,
        call: Call,
        method: str,
        more: list[tuple[str, str]] | None = None,
        body: str = "",
        uri: str = "",
    ) -> Message:
        """A request in a dialog, again with credentials when it is challenged; the final answer."""
        extra, uri = more or [], uri or call.target or call.uri
        answer = await self._transaction(self._made(call, method, uri, extra, body), call)
        if answer.code in (401, 407) and challenged(answer) and self.password:
            if method == "INVITE":
                self._ack(call, uri, answer)
            proof = credentials(self.user, self.password, method, uri, answer)
            request = self._made(call, method, uri, [*extra, proof], body)
            answer = await self._transaction(request, call)
        if method == "INVITE":
            self._ack(call, call.target or uri, answer)
        return answer

    def _made(
        self, call: Call, method: str, uri: str, more: list[tuple[str, str]], body: str
    ) -> Message:
        ours = call.ours or f"<{self.uri}>;tag={call.tag}"
        fields = [
            ("Via", self._via()),
            ("Max-Forwards", "70"),
            ("From", ours),
            ("To", call.theirs or f"<{self.uri}>"),
            ("Call-ID", call.id),
            ("CSeq", f"{next(call._numbers)} {method}"),
            ("Contact", f"<{self._contact}>"),
            ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, NOTIFY, UPDATE"),
            ("Supported", "replaces"),
            *more,
        ]
        return Message(f"{method} {uri} SIP/2.0", tuple(fields), body)

    @property
    def _contact(self) -> str:
        at = self.contact_at or f"{self.address}:{self.port}"
        return f"sip:{self.user}@{at}{self.contact_more}"

    def _via(self) -> str:
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        return f"SIP/2.0/UDP {self.address}:{self.port};rport;branch={branch}"

    async def _transaction(self, request: Message, call: Call | None = None) -> Message:
        """Send, and again until it is answered (17.1); gives the final response."""
        key, data = (request.branch, request.method), request.encoded()
        answers = self._asked[key] = asyncio.Queue()
        if request.method == "INVITE" and call:
            call._sent = request
            call.invite = call.invite or request
        wait, end, provisional = T1, time.monotonic() + TIMER_B, False
        try:
            self._send(data)
            while True:
                try:
                    answer = await asyncio.wait_for(answers.get(), 300 if provisional else wait)
                except TimeoutError:
                    if time.monotonic() > end:
                        raise NeverHappened(f"{request.first}\n  {self._tail()}") from None
                    self._send(data)
                    wait = wait * 2 if request.method == "INVITE" else min(wait * 2, T2)
                    continue
                if answer.code >= 200:
                    return answer
                provisional = request.method == "INVITE"
                if provisional and call:
                    self._provisional(call, answer)
        finally:
            del self._asked[key]

    def _response(self, message: Message) -> None:
        if waiting := self._asked.get((message.branch, message.method)):
            waiting.put_nowait(message)
        elif message.method == "INVITE" and message.code >= 200:
            self._send(self._acks.get((message["Call-ID"], message.number), b""))

    def _provisional(self, call: Call, answer: Message) -> None:
        call._provisional = True
        if answer.code > 100:
            call.alerts.append(answer.code)
            if parameter(answer["To"], "tag"):
                call.theirs = answer["To"]
            call._heard_sdp(answer.body)

    def _ack(self, call: Call, uri: str, answer: Message) -> None:
        """ACK: of a refusal within its transaction, of a 2xx as a request of its own (13.2.2.4)."""
        assert call._sent
        via = call._sent["Via"] if answer.code >= 300 else self._via()
        fields = (
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", call._sent["From"]),
            ("To", answer["To"]),
            ("Call-ID", call.id),
            ("CSeq", f"{answer.number} ACK"),
        )
        if answer.code < 300 and answer["Contact"]:
            uri = uri_of(answer["Contact"])
        ack = Message(f"ACK {uri} SIP/2.0", fields).encoded()
        self._acks[call.id, answer.number] = ack
        self._send(ack)

    async def _place(self, call: Call, more: list[tuple[str, str]]) -> None:
        call.voice = await self._voice(call)
        try:
            answer = await self._ask(call, "INVITE", more, call._sdp())
        except NeverHappened:
            call._over("us")
            raise
        call.answer, call.code = answer, answer.code
        if answer.code >= 300:
            call._over("us" if call._cancelled else "them")
            return
        call.theirs, call.target = answer["To"], uri_of(answer["Contact"])
        call._heard_sdp(answer.body)
        call._is_up()
        if call._cancelled:  # answered while it was being given up (15)
            await call.hang_up()

    # ---- What we are asked ------------------------------------------------------------------------

    def _request(self, message: Message) -> None:
        call = next((one for one in self.calls if one.id == message["Call-ID"]), None)
        if message.method == "ACK":
            if call and message.number in call._acked:
                call._acked[message.number].set()
        elif message.method == "INVITE":
            self._invited(call, message)
        elif message.method == "OPTIONS":
            self._answer(message, 200)
        elif call is None:
            self._answer(message, 481)
        else:
            self._in_dialog(call, message)

    def _in_dialog(self, call: Call, message: Message) -> None:
        self._answer(message, 200, body=self._updated(call, message))
        if message.method == "NOTIFY" and message.body.startswith("SIP/2.0 "):
            call.referred.append(int(message.body.split()[1]))
        elif message.method == "BYE":
            call.last = message
            call._over("them")
        elif message.method == "CANCEL" and not call.code:
            call.last = message
            self._start(self._refuse(call, 487))

    def _updated(self, call: Call, message: Message) -> str:
        if message.method != "UPDATE" or not message.body:
            return ""
        formats = call._fits(message.body)
        call._heard_sdp(message.body, formats)
        return call._sdp(media_of(message.body)[2], formats)

    def _answer(
        self,
        request: Message,
        code: int,
        call: Call | None = None,
        body: str = "",
        to: str | None = "",
    ) -> bytes:
        field = call.ours if call else ""
        made = response(request, code, REASONS.get(code, "Refused"), field)
        shown = request.method == "INVITE" and to is not None
        more = [("Contact", f"<{to or self._contact}>")] if shown else []
        more += [("Record-Route", f"<{self.route}>")] if self.route else []
        data = msgspec.structs.replace(made, fields=(*made.fields, *more), body=body).encoded()
        self._answered[request.branch, request.method] = data
        self._send(data)
        return data

    def _invited(self, call: Call | None, message: Message) -> None:
        if call and parameter(message["To"], "tag"):
            call.target = uri_of(message["Contact"]) or call.target
            if not (formats := call._fits(message.body)):
                self._answer(message, 488)
                return
            call._heard_sdp(message.body, formats)
            direction = media_of(message.body)[2] if message.body else "sendrecv"
            body = call._sdp(direction, formats)
            self._start(self._until_acked(call, message, 200, body))
        elif parameter(message["To"], "tag"):
            self._answer(message, 481)
        else:
            call = Call(self, message.user, message["Call-ID"], incoming=True)
            call.ours, call.theirs = f"{message['To']};tag={call.tag}", message["From"]
            call.target, call.invite = uri_of(message["Contact"]), message
            self._answer(message, 100)
            self._start(self._take(call))

    async def _take(self, call: Call) -> None:
        how = self.takings.get(call.number, self.taking)
        call.tone = how.tone or self.tone
        call.voice = await self._voice(call)
        self.calls.append(call)
        assert call.invite
        formats = call._fits(call.invite.body)
        if not formats:
            await self._refuse(call, 488)
            return
        if how.alert:
            early = call._sdp(formats=formats) if how.alert == 183 else ""
            self._answer(call.invite, how.alert, call, early)
            if early:
                call._heard_sdp(call.invite.body, formats)
        if how.after is None:
            return
        await asyncio.sleep(how.after)
        if not call.code and how.code == 200:
            await self._accept(call)
        elif not call.code:
            await self._refuse(call, how.code, how.to)

    async def _accept(self, call: Call) -> None:
        if call.code:
            return
        assert call.invite
        call.code = 200
        formats = call._fits(call.invite.body)
        call._heard_sdp(call.invite.body, formats)
        call._is_up()
        await self._until_acked(call, call.invite, 200, call._sdp(formats=formats))

    async def _refuse(self, call: Call, code: int, to: str | None = "") -> None:
        if call.code:
            return
        assert call.invite
        call.code = code
        call._over("them" if code == 487 else "us")
        await self._until_acked(call, call.invite, code, to=to)

    async def _until_acked(
        self, call: Call, invite: Message, code: int, body: str = "", to: str | None = ""
    ) -> None:
        """Send a final response again until its ACK has come (13.3.1.4, 17.2.1)."""
        acked = call._acked[invite.number] = asyncio.Event()
        data, wait = self._answer(invite, code, call, body, to), T1
        end = time.monotonic() + TIMER_B
        while time.monotonic() < end and not self.dead:
            try:
                await asyncio.wait_for(acked.wait(), wait)
            except TimeoutError:
                self._send(data)
                wait = min(wait * 2, T2)
            else:
                return
        if code < 300 and not self.dead:
            await call.hang_up()
