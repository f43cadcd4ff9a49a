"""Follow the engine's log and signals: the one place where calls grow.

Facts are folded in the order in which they come, one batch at a time. A batch's calls, events,
finished records and log position are committed together; only then is memory changed and the bus
told. So after a kill at any line, the log is read again from the last committed position, and every
event has its number once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import stamina
import structlog

from trunkline.bus.port import Bus
from trunkline.calls import announce, outcome
from trunkline.calls import facts as f
from trunkline.calls import log as cel
from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.fold import Heard, fold, refold
from trunkline.calls.log import LogPosition
from trunkline.calls.record import StoredEvent
from trunkline.db.port import Batch, Database, DatabaseUnavailable
from trunkline.engine.port import AnsweredInSip, Held, Rang, Signal

log = structlog.get_logger()

LOG_NAME = "cel"
_EARLY_KEPT = 10_000_000
_SIGNAL_LATE = 5_000
_CODES_KEPT = 4096

_Early = f.LegRinging | f.LegHeld | f.LegUnheld


class LogPart(Protocol):
    """Some rows of the engine's log, and the position after them."""

    @property
    def rows(self) -> list[cel.Row]: ...
    @property
    def position(self) -> LogPosition: ...
    @property
    def skipped(self) -> int: ...


class CallLog:
    """All live calls, and the only way to change one."""

    def __init__(
        self, db: Database, bus: Bus, place: announce.Place, clock: Callable[[], int]
    ) -> None:
        self._db = db
        self._bus = bus
        self._place = place
        self._clock = clock
        self._lock = asyncio.Lock()
        self._calls: dict[str, Call] = {}
        self._call_of: dict[str, str] = {}
        self._early: dict[str, list[_Early]] = {}
        self._heard = asyncio.Event()
        self._codes: dict[str, int] = {}
        self._msg_id = 0
        self.newest_row = 0
        self.caught_up = asyncio.Event()

    @property
    def live(self) -> Mapping[str, Call]:
        """The calls that are not over, by id."""
        return self._calls

    def load(self) -> None:
        """Fold the open calls again from their journals, as they were when the process ended."""
        for stored in self._db.calls.open_calls():
            call = refold(list(stored.facts))
            if call is not None and not call.over:
                self._remember(call)
        log.info("calls.loaded", open=len(self._calls))

    async def record(self, facts: Iterable[AnyFact], position: LogPosition | None = None) -> None:
        """Fold the facts and commit; raises DatabaseUnavailable, and then nothing has changed."""
        async with self._lock:
            await self._record(list(facts), position)

    async def follow(self, parts: AsyncIterator[LogPart | None]) -> None:
        """Take in the engine's log for ever; waits out a database that cannot be written."""
        async for part in parts:
            if part is None:
                self.caught_up.set()
                continue
            self.caught_up.clear()
            await self.take(part)

    async def take(self, part: LogPart) -> None:
        """Take in a part of the log, however long the database takes to accept it."""
        if part.skipped:
            log.warning("log.rows_skipped", count=part.skipped)
        if part.rows:
            self.newest_row = part.rows[-1].time
        await self._let_signals_catch_up(part.rows)
        async for attempt in _insisting():
            with attempt:
                async with self._lock:
                    await self._record(self._facts_of(part.rows), part.position)

    def hear(self, signal: Signal) -> None:
        """Take in what only the engine's live signals tell: ringing, holding, SIP codes.

        It is kept until the log tells of its leg: a signal can be faster than the log.
        """
        if isinstance(signal, AnsweredInSip):
            self._codes[signal.leg_id] = signal.code
            while len(self._codes) > _CODES_KEPT:
                del self._codes[next(iter(self._codes))]
        elif isinstance(signal, Rang):
            self._keep(f.LegRinging(call_id="", at=signal.at, leg_id=signal.leg_id))
        elif isinstance(signal, Held):
            kind = f.LegHeld if signal.held else f.LegUnheld
            self._keep(kind(call_id="", at=signal.at, leg_id=signal.leg_id))

    async def follow_signals(self) -> None:
        """Fold what has been heard of known legs, for ever."""
        while True:
            await self._heard.wait()
            self._heard.clear()
            async for attempt in _insisting():
                with attempt:
                    async with self._lock:
                        await self._record_early()

    async def engine_died(self, at: int) -> None:
        """Close every open call: its channels are gone. ``at`` is the last sign of life."""
        dead = [f.EngineDied(call_id=call_id, at=at) for call_id in list(self._calls)]
        if dead:
            log.warning("calls.closed_with_engine", count=len(dead))
            await self._insist(dead)

    async def settle(self, living: Callable[[str], bool]) -> None:
        """After a restart: withdraw requests that never reached the engine."""
        gone = [
            f.RequestWithdrawn(call_id=call.id, at=self._clock(), reason="never sent")
            for call in self._calls.values()
            if not call.legs and not living(call.id)
        ]
        await self._insist(gone)

    async def _insist(self, facts: Sequence[AnyFact]) -> None:
        async for attempt in _insisting():
            with attempt:
                await self.record(facts)

    def _keep(self, fact: _Early) -> None:
        for leg_id, kept in list(self._early.items()):  # in the order of their first signal
            if kept[-1].at > fact.at - _EARLY_KEPT:
                break
            del self._early[leg_id]
        self._early.setdefault(fact.leg_id, []).append(fact)
        self._heard.set()

    async def _record_early(self) -> None:
        known = [leg_id for leg_id in self._early if leg_id in self._call_of]
        facts = [_in_call(each, self._call_of[leg]) for leg in known for each in self._early[leg]]
        for leg_id in known:
            del self._early[leg_id]
        try:
            await self._record(facts, None)
        except DatabaseUnavailable:
            for fact in facts:
                self._keep(fact)  # type: ignore[arg-type]
            raise

    async def _let_signals_catch_up(self, rows: list[cel.Row]) -> None:
        """The log can be faster than a signal, too: give an expected one a few milliseconds."""
        deadline = self._clock() + _SIGNAL_LATE
        while self._clock() < deadline and any(map(self._expects_signal, rows)):
            await asyncio.sleep(0.001)

    def _expects_signal(self, row: cel.Row) -> bool:
        if row.event == "ANSWER":
            return row.unique_id not in self._early and self._silent(row)
        if row.event == "HANGUP":
            return row.unique_id not in self._codes and cel.far_end_refused(row)
        return False

    def _silent(self, row: cel.Row) -> bool:
        """Is this an outbound leg that has not rung yet?"""
        call = self._calls.get(self._call_of.get(row.unique_id, ""))
        leg = call.legs.get(row.unique_id) if call else None
        if leg is None:
            return row.exten in ("", "s")
        return leg.direction == "outbound" and leg.ringing_at is None

    def _facts_of(self, rows: list[cel.Row]) -> list[AnyFact]:
        facts: list[AnyFact] = []
        for row in rows:
            other = cel.transferred_leg(row)
            if other is not None:
                facts += self._merge(row, other)
            fact = cel.read(row, self._db.directory.endpoint_owner, self._user)
            if fact is not None:
                facts.append(fact)
        return facts

    def _merge(self, row: cel.Row, other_leg: str) -> list[AnyFact]:
        """An attended transfer: the younger of the two calls becomes part of the older."""
        ids = (self._call_of.get(row.unique_id), self._call_of.get(other_leg))
        calls = [self._calls[call_id] for call_id in ids if call_id in self._calls]
        if len(calls) != 2 or calls[0].id == calls[1].id:
            return []
        older, younger = sorted(calls, key=lambda call: call.started_at)
        facts = tuple(self._db.calls.facts(younger.id))
        return [f.CallMerged(call_id=older.id, at=row.time, other_call_id=younger.id, facts=facts)]

    def _user(self, user_id: str) -> Party | None:
        found = self._db.directory.user_owner(user_id)
        if found is None:
            return None
        number = found.sip_users[0] if found.sip_users else (found.extension or found.username)
        return Party(
            number=number, username=found.username, name=found.display_name, user_id=user_id
        )

    async def _record(self, facts: list[AnyFact], position: LogPosition | None) -> None:
        step = _Step(self._calls, self._call_of, self._early, self._codes)
        for fact in facts:
            step.take(fact)
        batch = self._batch(step, position)
        events: list[StoredEvent] = []
        if batch.facts or batch.position:
            events = await self._db.calls.commit(batch)
        self._apply(step)
        if events:
            self._bus.publish(events)

    def _batch(self, step: _Step, position: LogPosition | None) -> Batch:
        ended = [call for call in step.changed.values() if call.over]
        return Batch(
            facts=step.kept,
            announcements=[
                announce.announce(call, heard, self._place, self._next_msg_id(heard.at))
                for call, heard in step.heard
            ],
            finished=[outcome.record(call) for call in ended if not call.withdrawn],
            opened=[(call.id, call.account_id, call.started_at) for call in step.opened],
            closed=[call.id for call in ended] + step.merged,
            position=(LOG_NAME, position) if position else None,
        )

    def _apply(self, step: _Step) -> None:
        for call in step.changed.values():
            if call.over:
                self._forget(call)
            else:
                self._remember(call)
        for call_id in step.merged:
            self._calls.pop(call_id, None)
        for leg_id, used in step.used_early.items():
            left = [each for each in self._early.get(leg_id, []) if each not in used]
            if left:
                self._early[leg_id] = left
            else:
                self._early.pop(leg_id, None)

    def _remember(self, call: Call) -> None:
        self._calls[call.id] = call
        for leg_id in call.legs:
            self._call_of[leg_id] = call.id

    def _forget(self, call: Call) -> None:
        self._calls.pop(call.id, None)
        for leg_id in call.legs:
            self._call_of.pop(leg_id, None)
            self._codes.pop(leg_id, None)

    def _next_msg_id(self, at: int) -> int:
        self._msg_id = max(self._msg_id + 1, at)
        return self._msg_id


class _Step:
    """One batch being folded, over the live calls but without touching them."""

    def __init__(
        self,
        calls: Mapping[str, Call],
        call_of: Mapping[str, str],
        early: Mapping[str, list[_Early]],
        codes: Mapping[str, int],
    ) -> None:
        self._calls = calls
        self._known_legs = call_of
        self._new_legs: dict[str, str] = {}
        self._early = early
        self._codes = codes
        self.changed: dict[str, Call] = {}
        self.opened: list[Call] = []
        self.merged: list[str] = []
        self.kept: list[AnyFact] = []
        self.heard: list[tuple[Call, Heard]] = []
        self.used_early: dict[str, list[_Early]] = {}

    def take(self, fact: AnyFact) -> None:
        """Fold one fact; one that changes nothing is not kept."""
        if isinstance(fact, f.LegAnswered):
            self._take_early(fact.leg_id)
        fact = self._placed(fact)
        before = self.changed.get(fact.call_id) or self._calls.get(fact.call_id)
        after, heard = fold(before, fact)
        if after is None or after is before:
            return
        if before is None:
            self.opened.append(after)
        self.changed[after.id] = after
        self.kept.append(fact)
        self.heard += [(after, each) for each in heard]
        self._follow_up(fact, after)

    def _placed(self, fact: AnyFact) -> AnyFact:
        """The fact under its call: legs stay with the call that they began in."""
        leg_id = getattr(fact, "leg_id", None)
        if leg_id is None:
            return fact
        if isinstance(fact, f.LegHungUp) and fact.sip_code is None and leg_id in self._codes:
            fact = f.replace(fact, sip_code=self._codes[leg_id])
        call_id = self._new_legs.get(leg_id) or self._known_legs.get(leg_id)
        return fact if call_id in (None, fact.call_id) else _in_call(fact, call_id)

    def _follow_up(self, fact: AnyFact, call: Call) -> None:
        if isinstance(fact, f.LegStarted):
            self._new_legs[fact.leg_id] = call.id
            self._take_early(fact.leg_id)
        elif isinstance(fact, f.CallMerged):
            self.merged.append(fact.other_call_id)
            self._new_legs.update(dict.fromkeys(call.legs, call.id))

    def _take_early(self, leg_id: str) -> None:
        """Fold what was heard of a leg before the log got so far."""
        call_id = self._new_legs.get(leg_id) or self._known_legs.get(leg_id)
        if call_id is None or leg_id in self.used_early:
            return
        if early := self._early.get(leg_id):
            self.used_early[leg_id] = list(early)
            for each in early:
                self.take(_in_call(each, call_id))


def _insisting() -> AsyncIterator[Any]:
    """However long the database takes to accept a write."""
    return stamina.retry_context(
        on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=5.0
    ).__aiter__()


def _in_call(fact: AnyFact, call_id: str) -> AnyFact:
    return f.replace(fact, call_id=call_id)
