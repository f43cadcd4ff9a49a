"""Recorded calls, read back and folded: rows and signals in the order in which they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from at_once import at_once
from trunkline.calls import cel
from trunkline.calls import facts as f
from trunkline.calls.call import Call
from trunkline.calls.cel import CelRow
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.fold import Notice, refold
from trunkline.engine.listen.log_follower import LogFollower
from trunkline.engine.port import AnsweredInSip, HoldChanged, Rang
from trunkline.events.of_call import Node
from trunkline.store.ports.database import EndpointOwner
from trunkline.work.follow.bridges import Bridges
from trunkline.work.follow.fold_batch import BatchFold, Meeting
from trunkline.work.follow.signals import Signals

SCENARIOS = Path(__file__).parent / "scenarios"
NODE = Node("trunkline", "tl00000000")
AnySignal = Rang | HoldChanged | AnsweredInSip


class RecordedUser(msgspec.Struct, frozen=True):
    """A user as the directory had them."""

    user_id: str
    username: str
    display_name: str
    extension: str | None
    sip_users: tuple[str, ...]


class Recorded(msgspec.Struct, frozen=True):
    """Beside the log: the directory as it was, and the facts that no row states."""

    owners: dict[str, EndpointOwner]
    users: dict[str, RecordedUser]
    facts: list[f.CallRequested | f.EngineDied]


class Scenario(msgspec.Struct, frozen=True):
    """One recorded scene: what the engine wrote, and what it signalled, each with its time."""

    name: str
    rows: list[CelRow]
    signals: list[tuple[int, AnySignal]]
    recorded: Recorded
    raw: bytes

    @property
    def requests(self) -> list[f.CallRequested]:
        """What an application asked for: before all else."""
        return [fact for fact in self.recorded.facts if isinstance(fact, f.CallRequested)]

    @property
    def deaths(self) -> list[f.EngineDied]:
        """The engine's end: after all else."""
        return [fact for fact in self.recorded.facts if isinstance(fact, f.EngineDied)]

    def user(self, user_id: str) -> Party | None:
        """Whom the directory named when the call was recorded."""
        found = self.recorded.users.get(user_id)
        if found is None:
            return None
        number = found.sip_users[0] if found.sip_users else (found.extension or found.username)
        return Party(number, found.username, found.display_name, user_id)

    def facts_of(self, row: CelRow) -> list[AnyFact | Meeting]:
        """What a row states."""
        fact = cel.read(row, self.recorded.owners.get, self.user)
        facts: list[AnyFact | Meeting] = [fact] if fact else []
        if (other := cel.met_leg(row)) is not None:
            facts.append(Meeting(row.unique_id, other, row.time))
        return facts

    def facts(self, rows: Iterable[CelRow]) -> list[AnyFact | Meeting]:
        """What these rows state."""
        return [fact for row in rows for fact in self.facts_of(row)]


def names() -> list[str]:
    """All that have been recorded."""
    return sorted(folder.name for folder in SCENARIOS.iterdir() if folder.is_dir())


@cache
def scenario(name: str) -> Scenario:
    """Read one; its log is read as the product reads it."""
    folder = SCENARIOS / name
    taken = LogFollower(folder / "cel.csv", None).read()
    assert taken is not None
    assert taken.skipped == 0
    lines = (folder / "signals.jsonl").read_bytes().splitlines()
    recorded = msgspec.json.decode((folder / "recorded.json").read_bytes(), type=Recorded)
    raw = (folder / "cel.csv").read_bytes()
    return Scenario(name, taken.rows, [_signal(line) for line in lines], recorded, raw)


def _signal(line: bytes) -> tuple[int, AnySignal]:
    came, kind, *values = msgspec.json.decode(line)
    kinds = {"Rang": Rang, "HoldChanged": HoldChanged, "AnsweredInSip": AnsweredInSip}
    return came, kinds[kind](*values)


class Ledger:
    """Calls as they grow, and their journal, without any database."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.call_of: dict[str, str] = {}
        self.signals = Signals()
        self.journal: dict[str, list[AnyFact]] = {}
        self.heard: list[tuple[Call, Notice]] = []
        self.bridges = Bridges()
        self.astray: list[str] = []

    async def facts(self, call_id: str) -> list[AnyFact]:
        """A call's journal."""
        return self.journal.get(call_id, [])

    async def known(self, call_id: str) -> bool:
        """Has the log spoken of it?"""
        asked = (f.CallRequested, f.RequestWithdrawn)
        return any(not isinstance(fact, asked) for fact in await self.facts(call_id))

    def take(self, *facts: AnyFact | Meeting | None, early: bool = False) -> None:
        """One batch. ``early`` also takes in what signals have told of known legs."""
        live = {call_id: call for call_id, call in self.calls.items() if not call.over}
        step = BatchFold(live, self.call_of, self.signals, self, self.bridges)
        for fact in filter(None, facts):
            at_once(step.take(fact))
        for leg_id in self.signals.legs() if early else ():
            at_once(step.take_early(leg_id))
        self._apply(step)

    def _apply(self, step: BatchFold) -> None:
        for fact in step.kept:
            self.journal.setdefault(fact.call_id, []).append(fact)
        for call in sorted(step.changed.values(), key=lambda call: not call.over):
            self.calls[call.id] = call
            self.call_of |= dict.fromkeys((*call.legs, *call.absorbed), call.id)
        self.heard += step.heard
        self.astray += step.astray
        for leg_id, used in step.used_early.items():
            self.signals.used(leg_id, used)

    def refolded(self) -> dict[str, Call]:
        """Every call, folded anew from its journal."""
        folded = {call_id: refold(facts) for call_id, facts in self.journal.items()}
        return {id_: call for id_, call in folded.items() if call}

    def told(self) -> list[str]:
        """The events, as ``CHANNEL_CREATE 1``: name and the leg's place in its order of creation."""
        order: dict[str, int] = {}
        for _, heard in self.heard:
            if heard.leg_id is not None:
                order.setdefault(heard.leg_id, len(order) + 1)
        return [f"{h.name} {order[h.leg_id]}" if h.leg_id else h.name for _, h in self.heard]

    def counted(self) -> Counter[tuple[str, str | None]]:
        """How often each event was told of each leg, or of each call."""
        return Counter((heard.name, heard.leg_id or call.id) for call, heard in self.heard)


def folded(scene: Scenario) -> Ledger:
    """The scene as it was lived, row by row, each signal heard at the time that it tells."""
    ledger = Ledger()
    ledger.take(*scene.requests)
    codes = [signal for _, signal in scene.signals if isinstance(signal, AnsweredInSip)]
    for code in codes:  # CallLog waits a little for those; see test_follow_log.py
        ledger.signals.hear(code, False)
    told = [signal for _, signal in scene.signals if not isinstance(signal, AnsweredInSip)]
    for row in scene.rows:
        while told and told[0].at <= row.time:
            ledger.signals.hear(told.pop(0), False)
        ledger.take(early=True)
        ledger.take(*scene.facts_of(row))
    for signal in told:
        ledger.signals.hear(signal, False)
    ledger.take(early=True)
    ledger.take(*scene.deaths)
    return ledger
