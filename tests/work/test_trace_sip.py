"""Which call a SIP message is kept with, and which are not kept at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from structlog.testing import capture_logs

from trunkline.calls.call import Call
from trunkline.calls.facts import LegDirection, LegEnded, LegStarted
from trunkline.calls.fold import refold
from trunkline.engine.port import LegInSip, Trunk
from trunkline.sip import dialogs
from trunkline.sip.dialogs import LINGER, SipDialogs
from trunkline.sip.message import CapturedSip, SipMessage, SipPart
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.ports.sip_messages import NOTHING, SipFound
from trunkline.work.follow.trace_sip import TraceSip

AT = 1_700_000_000_000_000
US, PHONE, CARRIER = ("192.0.2.1", 5060), ("198.51.100.7", 5062), ("203.0.113.9", 5060)
HERE = (("127.0.0.1", 5060), ("127.0.0.1", 5090))


class Kept:
    """A database that keeps messages, unless it is away."""

    def __init__(self) -> None:
        self.parts: list[SipPart] = []
        self.away = self.broken = False
        self.pruned: list[int] = []

    async def add(self, parts: Sequence[SipPart]) -> None:
        if self.away:
            raise DatabaseUnavailable("full")
        if self.broken:
            raise ValueError("a fault of ours")
        self.parts += parts

    async def of_call(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        return NOTHING

    async def prune(self, before: int) -> int:
        self.pruned.append(before)
        return 0

    def of(self, call_id: str, account_id: str = "A") -> list[SipMessage]:
        mine = [p for p in self.parts if (p.account_id, p.call_id) == (account_id, call_id)]
        return [message for part in mine for message in part.messages]


class Scene:
    """Calls and messages, as the engine and the log tell of them."""

    def __init__(self) -> None:
        self.kept, self.now = Kept(), AT
        self.lines: list[Trunk] = []
        self.dialogs = SipDialogs({5060}, lambda host: host in {US[0], "127.0.0.1"})
        self.trace = TraceSip(self.kept, self.trunks, self.dialogs, lambda: self.now, 7)

    async def trunks(self) -> list[Trunk]:
        return self.lines

    def leg(
        self,
        leg_id: str,
        direction: LegDirection,
        *,
        account: str = "A",
        call: str = "call",
        over: bool = False,
    ) -> None:
        """The log tells of a leg, which begins its call."""
        self.trace.follow(
            a_call(call, account, (leg_id, direction), over=self.now if over else None)
        )

    def sip(self, leg_id: str, call_id: str) -> None:
        self.trace.hear(LegInSip(leg_id, call_id))

    def said(
        self,
        first: str,
        *,
        sent: bool,
        call_id: str = "x",
        tags: str = "f:",
        ends: tuple[tuple[str, int], tuple[str, int]] = (US, PHONE),
        branch: str = "b",
        via: int = 5060,
        body: str = "",
    ) -> None:
        """A message, such as ``INVITE`` or ``200 INVITE``; ``tags`` are From's and To's."""
        self.now += 10_000
        words = first.split()
        line = f"SIP/2.0 {words[0]} So" if words[0].isdigit() else f"{first} sip:a SIP/2.0"
        from_tag, to_tag = tags.split(":")
        text = (
            f"{line}\r\nVia: SIP/2.0/UDP h:{via};branch={branch}\r\nFrom: <sip:a>;tag={from_tag}\r\n"
            f"To: <sip:b>{';tag=' + to_tag if to_tag else ''}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: 1 {words[-1]}\r\n\r\n{body}"
        )
        source, destination = ends if sent else ends[::-1]
        self.dialogs.take(CapturedSip(self.now, source, destination, False, text.encode()))

    async def names(self, call_id: str = "call", account_id: str = "A") -> list[str]:
        """What has been written of a call."""
        await self.trace.flush()
        return [
            f"{'>' if each.sent else '<'}{each.method or each.status}"
            for each in self.kept.of(call_id, account_id)
        ]


def a_call(
    call_id: str, account: str, *legs: tuple[str, LegDirection], over: int | None = None
) -> Call:
    facts = [
        LegStarted(
            call_id=call_id, at=AT, leg_id=leg_id, account_id=account, direction=direction,
            endpoint="an1", endpoint_kind="device",
        )
        for leg_id, direction in legs
    ]  # fmt: skip
    ends = [LegEnded(call_id=call_id, at=over, leg_id=leg_id) for leg_id, _ in legs if over]
    call = refold([*facts, *ends])
    assert call is not None
    return call


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_messages_wait_until_their_leg_is_known(scene: Scene) -> None:
    scene.said("INVITE", sent=False)
    scene.said("401 INVITE", sent=True, tags="f:t")
    scene.said("ACK", sent=False, tags="f:t")
    scene.said("INVITE", sent=False, branch="c")
    assert await scene.names() == []
    scene.leg("leg", "inbound")
    assert await scene.names() == []
    scene.sip("leg", "x")
    scene.said("200 INVITE", sent=True, tags="f:t")
    assert await scene.names() == ["<INVITE", ">401", "<ACK", "<INVITE", ">200"]
    assert {each.leg_id for each in scene.kept.of("call")} == {"leg"}
    times = [each.at for each in scene.kept.of("call")]
    assert times == sorted(set(times))
    assert scene.trace.stored == 5
    assert scene.dialogs.held == 0


async def test_what_the_engine_tells_may_come_first(scene: Scene) -> None:
    scene.sip("leg", "x")
    scene.said("INVITE", sent=True)
    scene.leg("leg", "outbound")
    assert await scene.names() == [">INVITE"]


@pytest.mark.parametrize(
    "method", ["REGISTER", "OPTIONS", "PUBLISH", "SUBSCRIBE", "MESSAGE", "BYE"]
)
async def test_what_is_of_no_call_is_not_kept(scene: Scene, method: str) -> None:
    scene.said(method, sent=False)
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    assert await scene.names() == []
    assert scene.dialogs.held == 0


async def test_what_is_said_in_a_call_is_of_it(scene: Scene) -> None:
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    for method in ("REFER", "NOTIFY", "INFO", "OPTIONS"):
        scene.said(method, sent=False, tags="f:t")
    assert await scene.names() == ["<REFER", "<NOTIFY", "<INFO"]


async def test_an_invite_of_which_no_leg_comes_is_forgotten(scene: Scene) -> None:
    scene.said("INVITE", sent=False)
    scene.said("401 INVITE", sent=True, tags="f:t")
    scene.now += LINGER + 1
    await scene.trace.flush()
    assert scene.dialogs.held == 0
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    assert await scene.names() == []


async def test_a_leg_that_rings_for_long_is_waited_for(scene: Scene) -> None:
    scene.said("INVITE", sent=False)
    scene.said("180 INVITE", sent=True, tags="f:t")
    scene.now += LINGER * 3
    await scene.trace.flush()
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    assert await scene.names() == ["<INVITE", ">180"]


async def test_what_a_carrier_brings_back_is_two_dialogs(scene: Scene) -> None:
    """A proxy keeps the Call-ID and From: one account calls the other through it."""
    ends = (US, CARRIER)
    scene.said("INVITE", sent=True, tags="f:", ends=ends)
    scene.said("INVITE", sent=False, tags="f:", ends=ends)
    scene.said("180 INVITE", sent=True, tags="f:t", ends=ends)
    scene.said("180 INVITE", sent=False, tags="f:t", ends=ends)
    scene.leg("out", "outbound", account="A", call="a")
    scene.leg("in", "inbound", account="B", call="b")
    scene.sip("out", "x")
    scene.sip("in", "x")
    scene.said("BYE", sent=False, tags="f:t", ends=ends)
    scene.said("BYE", sent=True, tags="t:f", ends=ends)
    scene.said("BYE", sent=True, tags="f:t", ends=ends)
    assert await scene.names("a", "A") == [">INVITE", "<180", ">BYE"]
    assert await scene.names("b", "B") == ["<INVITE", ">180", "<BYE", ">BYE"]


async def test_nobody_sees_a_dialog_that_two_accounts_claim(scene: Scene) -> None:
    scene.leg("one", "inbound", account="A", call="a")
    scene.sip("one", "x")
    scene.said("INVITE", sent=False)
    scene.leg("two", "inbound", account="B", call="b")
    scene.sip("two", "x")
    scene.said("BYE", sent=False, tags="f:t")
    assert await scene.names("a", "A") == ["<INVITE"]
    assert await scene.names("b", "B") == []


@pytest.mark.parametrize("same", ["tag", "host"])
async def test_nobody_sees_a_dialog_that_two_began(scene: Scene, same: str) -> None:
    scene.said("INVITE", sent=False, tags="f:")
    theirs = (US, PHONE) if same == "host" else (US, CARRIER)
    scene.said("INVITE", sent=False, tags="f:" if same == "tag" else "g:", ends=theirs, branch="c")
    for leg_id, account in (("two", "B"), ("one", "A")):
        scene.leg(leg_id, "inbound", account=account, call=account)
        scene.sip(leg_id, "x")
    assert await scene.names("A", "A") == await scene.names("B", "B") == []
    assert scene.dialogs.held == 0


async def test_a_call_id_may_be_used_again_once_its_leg_is_over(scene: Scene) -> None:
    """A carrier that tries one number after the other, under one Call-ID."""
    scene.leg("one", "inbound", account="A", call="a")
    scene.sip("one", "x")
    scene.said("INVITE", sent=False)
    scene.said("486 INVITE", sent=True, tags="f:t")
    scene.leg("one", "inbound", account="A", call="a", over=True)
    scene.said("INVITE", sent=False)  # once more, for want of the answer
    scene.said("INVITE", sent=False, branch="c")
    scene.leg("two", "inbound", account="B", call="b")
    scene.sip("two", "x")
    assert await scene.names("a", "A") == ["<INVITE", ">486", "<INVITE"]
    assert await scene.names("b", "B") == ["<INVITE"]


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
async def test_a_leg_that_was_refused_at_once_is_over_before_its_messages_come(
    scene: Scene, direction: LegDirection
) -> None:
    sent = direction == "outbound"
    scene.sip("leg", "x")
    scene.now = AT + 30_000
    scene.leg("leg", direction, over=True)
    scene.now = AT
    scene.said("INVITE", sent=sent)
    scene.said("404 INVITE", sent=not sent, tags="f:t")
    scene.said("ACK", sent=sent, tags="f:t")
    scene.now = AT + 30_000
    scene.said("INVITE", sent=sent, branch="c")  # another leg's, under the same Call-ID
    there, back = "><" if sent else "<>"
    assert await scene.names() == [f"{there}INVITE", f"{back}404", f"{there}ACK"]


async def test_an_invite_after_the_end_of_a_leg_is_not_of_it(scene: Scene) -> None:
    scene.leg("leg", "inbound", over=True)
    scene.sip("leg", "x")
    scene.said("INVITE", sent=False)
    assert await scene.names() == []


async def test_the_last_messages_come_when_all_is_over(scene: Scene) -> None:
    scene.leg("leg", "inbound")
    scene.leg("leg", "inbound", over=True)
    scene.sip("leg", "x")
    scene.said("BYE", sent=True, tags="t:f")
    assert await scene.names() == [">BYE"]
    scene.now += LINGER + 1
    await scene.trace.flush()
    scene.said("200 BYE", sent=False, tags="t:f")
    assert await scene.names() == [">BYE"]


async def test_legs_go_with_the_call_that_they_were_joined_to(scene: Scene) -> None:
    scene.leg("one", "inbound", call="older")
    scene.leg("two", "inbound", call="younger")
    scene.sip("two", "x")
    scene.said("INVITE", sent=False)
    scene.trace.follow(a_call("older", "A", ("one", "inbound"), ("two", "inbound")))
    scene.said("BYE", sent=False, tags="f:t")
    assert await scene.names("younger") == ["<INVITE"]
    assert await scene.names("older") == ["<BYE"]


@pytest.mark.parametrize("sent", [True, False])
async def test_on_one_machine_ports_tell_who_sent_it(scene: Scene, sent: bool) -> None:
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    scene.said("INVITE", sent=sent, tags="f:t", ends=HERE)
    assert await scene.names() == [">INVITE" if sent else "<INVITE"]


@pytest.mark.parametrize("first", ["INVITE", "200 INVITE"])
@pytest.mark.parametrize("sent", [True, False])
async def test_on_one_machine_by_tcp_the_via_does(scene: Scene, first: str, sent: bool) -> None:
    scene.leg("leg", "outbound")
    scene.sip("leg", "x")
    ends = (("127.0.0.1", 40_000), ("127.0.0.1", 5090))
    ours = sent is (first == "INVITE")
    scene.said(first, sent=sent, tags="f:t", ends=ends, via=5060 if ours else 5090)
    assert (await scene.names())[0][0] == (">" if sent else "<")


async def test_a_call_has_no_more_than_so_many(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogs, "MOST_MESSAGES", 3)
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    for _ in range(5):
        scene.said("INFO", sent=False, tags="f:t")
    assert len(await scene.names()) == 3
    assert sum(part.skipped for part in scene.kept.parts) == scene.trace.dropped == 2
    assert scene.dialogs.held == 0


async def test_only_so_much_waits_for_a_database_that_is_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogs, "MOST_HELD", 2000)
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    scene.kept.away = True
    for _ in range(4):
        scene.said("INFO", sent=False, tags="f:t", body="1" * 600)
        await scene.trace.flush()
    scene.kept.away = False
    assert scene.trace.stored == 0
    await scene.trace.flush()
    found = len(await scene.names())
    assert 1 <= found < 10
    assert scene.trace.stored == found
    assert scene.dialogs.held == 0


async def test_a_fault_costs_what_was_to_be_written_and_no_more(scene: Scene) -> None:
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    scene.kept.broken = True
    scene.said("INVITE", sent=False)
    await scene.trace.flush()
    scene.kept.broken = False
    scene.said("BYE", sent=False, tags="f:t")
    assert await scene.names() == ["<BYE"]
    assert (scene.trace.stored, scene.trace.dropped, scene.dialogs.held) == (1, 1, 0)


async def test_what_waits_is_written_at_the_end(scene: Scene) -> None:
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    taken = asyncio.Event()

    async def captured() -> AsyncIterator[list[CapturedSip]]:
        scene.said("INVITE", sent=False)
        yield []
        taken.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(scene.trace.run(captured()))
    async with asyncio.timeout(20):
        await taken.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [each.method for each in scene.kept.of("call")] == ["INVITE"]
    assert scene.kept.pruned == [AT - 7 * 86_400_000_000]


async def test_no_name_that_a_stranger_chose_takes_much_room(scene: Scene) -> None:
    for name in ({"call_id": "c" * 600}, {"tags": f"{'f' * 600}:"}, {"branch": "b" * 600}):
        scene.said("INVITE", sent=False, **name)
    assert (scene.dialogs.dropped, scene.dialogs.held) == (3, 0)
    for n in range(500):
        scene.said("INVITE", sent=False, branch=f"b{n}")
    assert scene.dialogs.held == 0
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    assert await scene.names() == []


class Line(msgspec.Struct):
    """A trunk, as far as it is asked for here."""

    account_id: str
    match: tuple[str, ...]


@pytest.mark.parametrize(
    ("host", "matches", "is_told"),
    [
        (PHONE[0], (), False),
        ("198.51.100.9", (), True),
        ("198.51.100.9", ("198.51.100.0/24",), False),
        ("198.51.100.9", ("carrier.example.com",), True),
    ],
)
async def test_who_speaks_in_a_dialog_from_elsewhere_is_told(
    host: str, matches: tuple[str, ...], is_told: bool, scene: Scene
) -> None:
    scene.lines = [Line("A", matches), Line("B", ("198.51.100.9",))]  # type: ignore[list-item]
    scene.leg("leg", "inbound")
    scene.sip("leg", "x")
    scene.said("INVITE", sent=False)
    scene.said("200 INVITE", sent=True, tags="f:t")
    with capture_logs() as lines:
        for _ in range(5):
            scene.said("BYE", sent=False, tags="f:t", ends=(US, (host, 5060)))
            await scene.trace.flush()
    told = [(line["event"], line["address"], line["method"]) for line in lines]
    assert told == [("sip.stranger_in_dialog", host, "BYE")] * is_told
