"""Folds one batch of facts over the live calls, without touching them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from trunkline.calls import facts as f
from trunkline.calls.call import Call, Leg
from trunkline.calls.conferences import came, is_in_room, went
from trunkline.calls.even_times import evened, moved_to
from trunkline.calls.facts import AnyFact
from trunkline.calls.fold import Notice, fold
from trunkline.calls.merging import merge
from trunkline.work.follow.bridges import Bridges
from trunkline.work.follow.signals import Early, Signals


class Meeting(NamedTuple):
    """The log says that legs of two calls were brought together (a transfer, a pick-up)."""

    leg_id: str
    other_leg_id: str
    at: int


class Journal(Protocol):
    """What the database has committed of calls."""

    async def facts(self, call_id: str) -> list[AnyFact]: ...

    async def known(self, call_id: str) -> bool:
        """Has the engine's log told of this call already?"""


class BatchFold:
    """The batch: its attributes are what it changes, for the commit and for memory."""

    def __init__(
        self,
        calls: Mapping[str, Call],
        call_of: Mapping[str, str],
        signals: Signals,
        journal: Journal,
        bridges: Bridges,
    ) -> None:
        """``call_of`` leads to live calls, from their legs and from calls that have become part of them."""
        self._calls = calls
        self._call_of = call_of
        self._led_over: dict[str, str] = {}
        self._signals = signals
        self._journal = journal
        self._bridges = bridges
        self.steady = 0
        """When what is taken now happened, by the machine's monotonic clock; 0 where that is not known."""
        self.changed: dict[str, Call] = {}
        self.opened: list[Call] = []
        self.kept: list[AnyFact] = []
        self.heard: list[tuple[Call, Notice]] = []
        self.used_early: dict[str, Sequence[Early]] = {}
        self.astray: list[str] = []
        """Legs that a transfer has led where they must not be, or to nobody."""

    async def take(self, fact: AnyFact | Meeting) -> None:
        """Fold one fact; one that changes nothing is not kept."""
        if isinstance(fact, Meeting):
            return await self._meet(fact)
        if isinstance(fact, f.LegAnswered):
            await self.take_early(fact.leg_id)
        fact = self._under_its_call(fact)
        before = self._now(fact.call_id)
        if before is not None:
            fact = evened(before, fact, self.steady)
        begins = before is None and isinstance(fact, f.LegStarted)
        if begins and await self._journal.known(fact.call_id):
            return None  # it is over: the log is being read again
        after, heard = fold(before, fact)
        if after is not None and after is not before:
            await self._keep(fact, before, after, heard)
            if isinstance(fact, f.LegJoined):
                await self._meet_in_bridge(after.id, fact)
            elif isinstance(fact, f.LegLeft) and is_in_room(after):
                await self._take_all(went(self._in_room(fact.bridge_id, fact.leg_id), fact.at))
        return None

    async def _take_all(self, facts: Iterable[AnyFact]) -> None:
        for fact in facts:
            await self.take(fact)

    async def take_early(self, leg_id: str) -> None:
        """Fold what the engine's signals told of a leg before the log did."""
        call_id = self._call_id(leg_id)
        if call_id is None or leg_id in self.used_early:
            return
        if early := self._signals.of(leg_id):
            self.used_early[leg_id] = list(early)
            now = self.steady
            for each in early:
                self.steady = self._signals.steady(each)
                await self.take(_in_call(each, call_id))
            self.steady = now

    async def _keep(
        self, fact: AnyFact, before: Call | None, after: Call, heard: Sequence[Notice]
    ) -> None:
        if before is None:
            self.opened.append(after)
        self.changed[after.id] = after
        self.kept.append(fact)
        self.heard += [(after, each) for each in heard]
        if isinstance(fact, f.LegStarted):
            self._led_over[fact.leg_id] = after.id
            await self.take_early(fact.leg_id)

    def _now(self, call_id: str) -> Call | None:
        return self.changed.get(call_id) or self._calls.get(call_id)

    def _call_id(self, id_: str) -> str | None:
        """The call that a leg belongs to, or that another call has become part of."""
        return self._led_over.get(id_) or self._call_of.get(id_)

    def _under_its_call(self, fact: AnyFact) -> AnyFact:
        """The fact under its call: legs stay with the call that they began in."""
        leg_id = getattr(fact, "leg_id", None)
        if leg_id is None:
            return fact
        if isinstance(fact, f.LegHungUp) and fact.sip_code is None:
            fact = f.replace(fact, sip_code=self._signals.code(leg_id))
        call_id = self._call_id(leg_id) or self._call_id(fact.call_id)
        return fact if call_id in (None, fact.call_id) else _in_call(fact, call_id)

    async def _meet_in_bridge(self, call_id: str, fact: f.LegJoined) -> None:
        """Make one call of all that have legs in this bridge, unless it is a room's."""
        self._bridges.entered(call_id, fact.bridge_id)
        mine = self._now(call_id)
        if mine is not None and is_in_room(mine):
            others = self._in_room(fact.bridge_id, fact.leg_id)
            return await self._take_all(came(mine, mine.legs[fact.leg_id], others, fact.at))
        for other_id in self._bridges.calls_in(fact.bridge_id):
            other, call = self._now(other_id), self._now(self._call_id(fact.leg_id) or call_id)
            if call and other and other.in_bridge(fact.bridge_id):
                if call.account_id != other.account_id:
                    self.astray.append(fact.leg_id)
                await self._merge(call, other, fact.at)
        return None

    def _in_room(self, bridge: str, but: str) -> Iterator[tuple[Call, Leg]]:
        """The legs that are in the room with this bridge, but for one."""
        for call in filter(None, map(self._now, self._bridges.calls_in(bridge))):
            yield from ((call, leg) for leg in call.in_bridge(bridge) if leg.id != but)

    async def _meet(self, meeting: Meeting) -> None:
        ids = (self._call_id(meeting.leg_id), self._call_id(meeting.other_leg_id))
        one, other = (self._now(each) if each else None for each in ids)
        if one and meeting.leg_id == meeting.other_leg_id:
            self.astray += [leg.id for leg in one.legs.values() if leg.ended_at is None]
        elif one and other:
            await self._merge(one, other, meeting.at)

    async def _merge(self, one: Call, other: Call, at: int) -> None:
        """Make one call of two; an end is announced for the absorbed one."""
        decided = merge(one, other)
        if decided is None:
            return
        goes_on, absorbed = decided.goes_on.id, decided.absorbed.id
        here = [fact for fact in self.kept if fact.call_id == absorbed]
        told = (*await self._journal.facts(absorbed), *here)
        facts = moved_to(decided.goes_on, decided.absorbed, told)
        await self.take(f.CallAbsorbed(call_id=absorbed, at=at, into_call_id=goes_on))
        for id_ in (*decided.absorbed.legs, *decided.absorbed.absorbed, absorbed):
            self._led_over[id_] = goes_on
        await self.take(f.CallMerged(call_id=goes_on, at=at, other_call_id=absorbed, facts=facts))
        for bridge in {leg.bridge for leg in decided.absorbed.legs.values() if leg.bridge}:
            self._bridges.entered(goes_on, bridge)


def _in_call(fact: AnyFact, call_id: str) -> AnyFact:
    return f.replace(fact, call_id=call_id)
