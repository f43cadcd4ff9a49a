"""One batch of facts being folded, over the live calls but without touching them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from trunkline.calls import facts as f
from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact
from trunkline.calls.fold import Heard, fold
from trunkline.work.signals import Early, Signals


class Transfer(NamedTuple):
    """The log's word that an attended transfer joined two calls: a leg of each."""

    leg_id: str
    other_leg_id: str
    at: int


class Journal(Protocol):
    """What the database knows of calls, as far as it has been committed."""

    async def facts(self, call_id: str) -> list[AnyFact]:
        """The journal of one call, in order."""

    async def known(self, call_id: str) -> bool:
        """Has the engine's log spoken of this call already?"""


class Step:
    """The batch: what it changes stands in its attributes, for the commit and for memory."""

    def __init__(
        self,
        calls: Mapping[str, Call],
        call_of: Mapping[str, str],
        signals: Signals,
        journal: Journal,
    ) -> None:
        self._calls = calls
        self._known_legs = call_of
        self._new_legs: dict[str, str] = {}
        self._signals = signals
        self._journal = journal
        self.changed: dict[str, Call] = {}
        self.opened: list[Call] = []
        self.merged: dict[str, str] = {}
        """The call that is no more -> the one that it became part of."""
        self.kept: list[AnyFact] = []
        self.heard: list[tuple[Call, Heard]] = []
        self.used_early: dict[str, Sequence[Early]] = {}

    async def take(self, fact: AnyFact | Transfer) -> None:
        """Fold one fact; one that changes nothing is not kept."""
        if isinstance(fact, Transfer):
            return await self._merge(fact)
        if isinstance(fact, f.LegAnswered):
            await self.take_early(fact.leg_id)
        fact = self._placed(fact)
        before = self._now(fact.call_id)
        begins = before is None and isinstance(fact, f.LegStarted)
        if begins and await self._journal.known(fact.call_id):
            return None  # it is over: the log is being read again
        after, heard = fold(before, fact)
        if after is not None and after is not before:
            await self._keep(fact, before, after, heard)
        return None

    async def take_early(self, leg_id: str) -> None:
        """Fold what was heard of a leg before the log got so far."""
        call_id = self._call_id(leg_id)
        if call_id is None or leg_id in self.used_early:
            return
        if early := self._signals.of(leg_id):
            self.used_early[leg_id] = list(early)
            for each in early:
                await self.take(_in_call(each, call_id))

    async def _keep(
        self, fact: AnyFact, before: Call | None, after: Call, heard: Sequence[Heard]
    ) -> None:
        if before is None:
            self.opened.append(after)
        self.changed[after.id] = after
        self.kept.append(fact)
        self.heard += [(after, each) for each in heard]
        if isinstance(fact, f.LegStarted):
            self._new_legs[fact.leg_id] = after.id
            await self.take_early(fact.leg_id)

    def _now(self, call_id: str) -> Call | None:
        """The call as it is in this batch; None for one that has become part of another."""
        if call_id in self.merged:
            return None
        return self.changed.get(call_id) or self._calls.get(call_id)

    def _call_id(self, leg_id: str) -> str | None:
        return self._new_legs.get(leg_id) or self._known_legs.get(leg_id)

    def _placed(self, fact: AnyFact) -> AnyFact:
        """The fact under its call: legs stay with the call that they began in."""
        leg_id = getattr(fact, "leg_id", None)
        if leg_id is None:
            return fact
        if isinstance(fact, f.LegHungUp) and fact.sip_code is None:
            fact = f.replace(fact, sip_code=self._signals.code(leg_id))
        call_id = self._call_id(leg_id) or self.merged.get(fact.call_id)
        return fact if call_id in (None, fact.call_id) else _in_call(fact, call_id)

    async def _merge(self, transfer: Transfer) -> None:
        """An attended transfer: the younger of the two calls becomes part of the older."""
        ids = (self._call_id(transfer.leg_id), self._call_id(transfer.other_leg_id))
        calls = {call.id: call for each in ids if each and (call := self._now(each))}
        if len(calls) != 2 or any(call.over for call in calls.values()):
            return
        older, younger = sorted(calls.values(), key=lambda call: call.started_at)
        here = [fact for fact in self.kept if fact.call_id == younger.id]
        facts = (*await self._journal.facts(younger.id), *here)
        merged = f.CallMerged(
            call_id=older.id, at=transfer.at, other_call_id=younger.id, facts=facts
        )
        await self.take(merged)
        self.changed.pop(younger.id, None)
        self.merged[younger.id] = older.id
        self._new_legs.update(dict.fromkeys(younger.legs, older.id))


def _in_call(fact: AnyFact, call_id: str) -> AnyFact:
    return f.replace(fact, call_id=call_id)
