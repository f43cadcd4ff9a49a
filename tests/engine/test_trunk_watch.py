"""Which trunks are up, by what events and the control socket say."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from trunkline.engine.commands.control_socket import Control
from trunkline.engine.config.trunks import probe
from trunkline.engine.port import EngineUnavailable, Signal, TrunkChanged
from trunkline.engine.watch.trunks import TrunkWatch
from trunkline.store.ports.database import TrunkLine

AT = 1_700_000_000_000_000


def line(name: str, *, register: bool = False) -> TrunkLine:
    login = ("me", "pw") if register else (None, None)
    return TrunkLine(f"trunk-{name}", "a" * 32, name, "10.0.0.1", 5060, "udp", *login, register, ())


class Asked(Control):
    """A control socket with the answers in its hands."""

    def __init__(self) -> None:
        self.answers: dict[str, bool | None] = {}
        self.registered: dict[str, bool | None] = {}
        self.meanwhile = lambda: None
        self.down = False

    async def contacts(self, aor: str) -> list[bool | None]:
        if self.down:
            raise EngineUnavailable("down")
        found = self.answers.get(aor.removesuffix("-probe"), ())
        self.meanwhile()
        return [found] if found != () else []

    async def registrations(self) -> dict[str, bool | None]:
        return dict(self.registered)


class Watched:
    """A watch of some trunks, and what it told: (endpoint, up, reason)."""

    def __init__(self, *lines: TrunkLine) -> None:
        self.control = Asked()
        self.trouble: str | None = None
        self.told: list[tuple[str, bool, str | None]] = []
        self.watch = TrunkWatch(self.control, self._hear, lambda *_: self.trouble)
        self.watch.keep(lines)

    def _hear(self, signal: Signal) -> None:
        assert isinstance(signal, TrunkChanged)
        self.told.append((signal.endpoint, signal.up, signal.reason))

    def event(self, endpoint: str, status: str, aor: str = "") -> None:
        contact: dict[str, Any] = {"aor": aor or probe(endpoint), "contact_status": status}
        self.watch.contact_changed(endpoint, contact, AT)


def test_each_change_is_told_once() -> None:
    watched = Watched(line("a"))
    for status in ("NonQualified", "Unreachable", "Unreachable", "Reachable", "Reachable"):
        watched.event("trunk-a", status)
    assert watched.told == [("trunk-a", False, "UNREACHABLE"), ("trunk-a", True, None)]


def test_other_contacts_say_nothing_of_a_trunk() -> None:
    watched = Watched(line("a"))
    watched.event("an-0123", "Reachable", "an-0123")
    watched.event("trunk-a", "Reachable", "trunk-a")
    watched.event("trunk-gone", "Reachable")
    assert watched.told == []


async def test_a_registering_trunk_is_up_once_it_is_registered() -> None:
    watched = Watched(line("a", register=True))
    watched.event("trunk-a", "Reachable")
    assert watched.told == []
    for registered in (None, True, True, False, None, True):
        watched.control.registered = {"trunk-a": registered}
        await watched.watch.look()
    up, down = ("trunk-a", True, None), ("trunk-a", False, "REGISTRATION_REJECTED")
    assert watched.told == [up, down, up]


async def test_a_silent_carrier_is_unreachable_whatever_the_registration() -> None:
    watched = Watched(line("a", register=True))
    watched.control.registered = {"trunk-a": True}
    watched.control.answers = {"trunk-a": False}
    await watched.watch.look()
    assert watched.told == [("trunk-a", False, "UNREACHABLE")]


async def test_a_connection_tells_all_that_is_known_anew() -> None:
    watched = Watched(line("a"), line("b"), line("c"))
    watched.event("trunk-a", "Reachable")
    watched.control.answers = {"trunk-a": True, "trunk-b": False, "trunk-c": None}
    watched.watch.connected()
    await watched.watch.look()
    assert sorted(watched.told[1:]) == [
        ("trunk-a", True, None),
        ("trunk-b", False, "UNREACHABLE"),
    ]
    watched.event("trunk-c", "Reachable")
    assert watched.told[-1] == ("trunk-c", True, None)


async def test_it_looks_at_once_after_a_connection_and_when_trunks_change() -> None:
    watched = Watched(line("a"))
    watched.control.down = True
    following = asyncio.create_task(watched.watch.run())
    await asyncio.sleep(0)
    watched.control.down = False
    watched.control.answers = {"trunk-a": True, "trunk-b": False}
    async with asyncio.timeout(4):  # less than its interval
        watched.watch.connected()
        while len(watched.told) < 1:  # noqa: ASYNC110
            await asyncio.sleep(0)
        watched.watch.keep([line("a"), line("b")])
        while len(watched.told) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
    following.cancel()
    assert watched.told == [("trunk-a", True, None), ("trunk-b", False, "UNREACHABLE")]


async def test_an_event_outruns_the_answer_that_was_asked_for_before() -> None:
    watched = Watched(line("a"))
    watched.control.answers = {"trunk-a": False}
    watched.control.meanwhile = lambda: watched.event("trunk-a", "Reachable")
    await watched.watch.look()
    assert watched.told == [("trunk-a", True, None)]


async def test_a_trunk_that_the_engine_has_not_read_yet_is_not_known() -> None:
    watched = Watched(line("a"))
    await watched.watch.look()
    assert watched.told == []


def test_a_trunk_that_was_away_is_told_anew() -> None:
    watched = Watched(line("a"))
    watched.event("trunk-a", "Reachable")
    watched.watch.keep([])
    watched.event("trunk-a", "Unreachable")
    watched.watch.keep([line("a")])
    watched.event("trunk-a", "Reachable")
    assert watched.told == [("trunk-a", True, None)] * 2


async def test_a_carrier_whose_certificate_is_refused_says_so() -> None:
    carrier = msgspec.structs.replace(line("a"), transport="tls")
    watched = Watched(carrier)
    watched.trouble = "certificate has expired"
    watched.event("trunk-a", "Unreachable")
    assert watched.told == []  # its certificate is looked at first
    await watched.watch.look()
    watched.event("trunk-a", "Reachable")
    watched.trouble = None
    watched.event("trunk-a", "Unreachable")
    await watched.watch.look()
    assert watched.told == [
        ("trunk-a", False, "CERTIFICATE_REFUSED"),
        ("trunk-a", True, None),
        ("trunk-a", False, "UNREACHABLE"),
    ]
