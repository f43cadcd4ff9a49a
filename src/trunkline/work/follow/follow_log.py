"""Follow the engine's log and signals: the one place where calls grow.

Facts are folded in the order in which they come, one batch at a time. A batch's calls, events,
finished records and log position are committed together; only then is memory changed and the bus
told. So after a kill at any line, the log is read again from the last committed position, and every
event has its number once.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Container,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Protocol, TypeVar

import structlog

from trunkline.bus.port import Bus
from trunkline.calls import cel, outcome
from trunkline.calls import facts as f
from trunkline.calls.call import Call, Leg
from trunkline.calls.cel import LogPosition
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.fold import refold
from trunkline.calls.lines import LiveLines
from trunkline.calls.quality import USUAL, QualityLimits
from trunkline.calls.recorded_legs import recording_plan
from trunkline.calls.recording_plan import raw_name
from trunkline.calls.refusals import RefusalReason
from trunkline.engine.port import AnsweredInSip, HoldChanged, Rang, Signal
from trunkline.events import of_call
from trunkline.events.message_ids import MessageIds
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import Batch, Database, DatabaseUnavailable
from trunkline.work.follow.bridges import Bridges
from trunkline.work.follow.fold_batch import BatchFold, Meeting
from trunkline.work.follow.signals import Signals
from trunkline.work.keep_trying import insisting

log = structlog.get_logger()

T = TypeVar("T")

_RINGING_LATE, _CODE_LATE, _REFUSAL_LATE = 3, 50, 500
"""Milliseconds to wait for a signal when the log was faster: for a ringing, for a SIP code, and for the code
of a far end that refused, which is only missing where signals are lost.
"""
_LATE = 2_000_000
"""Microseconds: of a row that has been taken in, while there are more."""
_UNSAVED_PARTS = 100
"""After so many parts of the log without a fact, their position is stored by itself."""
_GATHER = 0.003
"""A signal waits for others for so many seconds, so that they are one commit."""


_Happened = tuple[AnyFact | Meeting, int]
"""What is to be folded, and when it happened by the machine's monotonic clock, or 0."""


class LogPart(Protocol):
    """Some rows of the engine's log, and the position after them."""

    @property
    def rows(self) -> list[cel.CelRow]: ...
    @property
    def position(self) -> LogPosition: ...
    @property
    def skipped(self) -> int: ...


class CallLog:
    """All live calls of a node, and the only way to change one.

    Calls of another node are in none of its structures. So none of them is closed with this node's
    engine, or becomes part of a call here.
    """

    def __init__(
        self,
        db: Database,
        bus: Bus,
        node: of_call.Node,
        clock: Callable[[], int],
        message_ids: MessageIds,
        quality_limits: QualityLimits = USUAL,
        steady: Callable[[], int] = lambda: 0,
    ) -> None:
        """``steady`` is the machine's monotonic clock in microseconds, which the engine's log has, too."""
        self._node_id = node.id
        self._db = db
        self._bus = bus
        self._node = node
        self._clock, self._steady = clock, steady
        self._message_ids = message_ids
        self._quality_limits = quality_limits
        self._lock = asyncio.Lock()
        self._calls: dict[str, Call] = {}
        self._call_of: dict[str, str] = {}
        """From each leg of a live call, and each call that has become part of one, to the live call."""
        self.lines = LiveLines()
        self._bridges = Bridges()
        self._signals = Signals()
        self._heard = asyncio.Event()
        self._refusal_late = _REFUSAL_LATE
        self._unsaved_parts = 0
        self.newest_row = 0
        self.refused_at = 0
        """When the database last refused to store something; 0 if it has stored something since."""
        self.on_change: Callable[[Call], None] = lambda _: None
        """Called with each call that has changed, once the change is committed; it must not raise."""
        self.on_astray: Callable[[str], None] = lambda _: None
        """Called with each leg that must not go on, once the fact that led it there is committed; must not raise."""
        self.caught_up = asyncio.Event()
        self.on_leg_over: Callable[[Leg], None] = lambda _: None
        """Called with each leg that is over, once that is committed; must not raise."""

        self.on_refused: Callable[[RefusalReason], None] = lambda _: None
        """Called with why a call was refused, each time, once that is committed; must not raise."""

    @property
    def live(self) -> Mapping[str, Call]:
        return self._calls

    @property
    def is_behind(self) -> bool:
        """May live calls be over already, and others have begun?"""
        late = self._clock() - self.newest_row > _LATE
        return self.refused_at > 0 or (late and not self.caught_up.is_set())

    def live_raws(self) -> frozenset[str]:
        """The names of the raw recordings of live calls' legs."""
        return frozenset(map(raw_name, self._call_of))

    async def load(self) -> None:
        """Fold the open calls again from their journals, as they were when the process ended."""
        for call in await self._open_calls(self._node_id):
            self._remember(call)
            for leg in call.legs.values():
                if leg.bridge is not None:
                    self._bridges.entered(call.id, leg.bridge)
        log.info("calls.loaded", open=len(self._calls))

    async def position(self) -> LogPosition | None:
        """How far the engine's log has been taken in; None before its first row."""
        return await self._db.calls.position(self._node_id)

    async def _open_calls(self, node_id: str) -> list[Call]:
        stored = await self._db.calls.open_calls(node_id)
        calls = [refold(list(each.facts)) for each in stored]
        return [call for call in calls if call is not None and not call.over]

    async def record(self, facts: Iterable[AnyFact], position: LogPosition | None = None) -> None:
        """Fold the facts and commit; raises DatabaseUnavailable, and then nothing has changed."""
        async with self._lock:
            told = [(fact, self._steady_at(fact.at) if fact.at else 0) for fact in facts]
            await self._record(told, position)

    async def ask(self, requested: f.CallRequested) -> Awaitable[None]:
        """Begin a call; raises DatabaseUnavailable, and then nothing has changed.

        From now on no kill of this process loses the call. The returned awaitable is done once no power cut
        does either; it raises DatabaseUnavailable where that will never be.
        """
        async with self._lock:
            folding = self._new_fold()
            if now := self._steady():
                requested = f.replace(requested, clock=requested.at - now)
            await folding.take(requested)
            settled = await self._stored(self._db.calls.commit_early(self._batch(folding, None)))
            self._apply(folding)
            return settled

    async def follow(self, parts: AsyncIterator[LogPart | None]) -> None:
        """Take in the engine's log for ever; waits while the database cannot be written."""
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
        async for attempt in insisting():
            with attempt:
                async with self._lock:
                    await self._record(await self._happened(part.rows), part.position)

    def hear(self, signal: Signal) -> None:
        """Take in what only the engine's live signals tell: ringing, holding, SIP codes.

        It is kept until the log tells of its leg: a signal can be faster than the log.
        """
        steady = self._steady_at(signal.at) if isinstance(signal, Rang | HoldChanged) else 0
        self._signals.hear(signal, self.caught_up.is_set(), steady)
        if isinstance(signal, AnsweredInSip):
            self._refusal_late = _REFUSAL_LATE
        self._heard.set()

    async def follow_signals(self) -> None:
        """Fold what the signals told of known legs, for ever."""
        while True:
            await self._heard.wait()
            await asyncio.sleep(_GATHER)
            self._heard.clear()
            async for attempt in insisting():
                with attempt:
                    async with self._lock:
                        await self._record_early()

    async def engine_died(self, at: int) -> None:
        """Close every open call of this node: its channels are gone. ``at`` is the last sign of life."""
        dead = [f.EngineDied(call_id=call_id, at=at) for call_id in list(self._calls)]
        if dead:
            log.warning("calls.closed_with_engine", count=len(dead))
            await self.insist(dead)

    def _steady_at(self, at: int) -> int:
        """A moment that has just been told, by the monotonic clock; 0 for one before the machine's start.

        A moment to come was told before the wall clock was set back: it was now.
        """
        now = self._steady()
        return max(0, now - max(0, self._clock() - at)) if now else 0

    def without_channels(self, living: Container[str]) -> set[str]:
        """The calls that have begun, and have no open leg that lives in the engine."""
        return {
            call.id
            for call in self._calls.values()
            if call.legs
            and not any(leg.id in living for leg in call.legs.values() if leg.ended_at is None)
        }

    async def lost(self, call_ids: Iterable[str]) -> None:
        """Close calls whose end the log will never tell (a full disk lost its rows).

        They end at their last sign of life.
        """
        gone = [f.EngineDied(call_id=each, at=0) for each in call_ids if each in self._calls]
        if gone:
            log.warning("calls.lost", call_ids=[fact.call_id for fact in gone])
            await self.insist(gone)

    async def close_calls_of(self, node_id: str) -> None:
        """Close the calls that another node has left: no log will ever tell how they went on."""
        left = await self._open_calls(node_id)
        for call in left:
            self._remember(call)
        await self.lost([call.id for call in left])

    async def settle(self, living: Callable[[str], bool]) -> None:
        """After a restart: withdraw requests that never reached the engine."""
        gone = [
            f.RequestWithdrawn(call_id=call.id, at=self._clock(), reason="never sent")
            for call in self._calls.values()
            if not call.legs and not living(call.id)
        ]
        await self.insist(gone)

    async def insist(self, facts: Sequence[AnyFact]) -> None:
        """As ``record``, however long the database takes to accept it."""
        async for attempt in insisting():
            with attempt:
                await self.record(facts)

    async def _record_early(self) -> None:
        folding = self._new_fold()
        for leg_id in self._signals.legs():
            await folding.take_early(leg_id)
        await self._commit(folding, None)

    async def _let_signals_catch_up(self, rows: list[cel.CelRow]) -> None:
        """The log can be faster than a signal, too: give an expected signal a few milliseconds.

        After a refusal whose code never came, the next one is waited for no longer than other codes.
        """
        late = rows
        for waited in range(self._refusal_late):
            if waited == _RINGING_LATE:
                late = [row for row in rows if row.event == "HANGUP"]
            elif waited == _CODE_LATE:
                late = [row for row in late if cel.far_end_refused(row)]
            if not any(map(self._expects_signal, late)):
                return
            await asyncio.sleep(0.001)
        self._refusal_late = _CODE_LATE

    def _expects_signal(self, row: cel.CelRow) -> bool:
        if row.event == "ANSWER":
            return not self._signals.of(row.unique_id) and self._silent(row)
        if row.event == "HANGUP":
            return self._signals.code(row.unique_id) is None and cel.has_sip_code(row)
        return False

    def _silent(self, row: cel.CelRow) -> bool:
        """Is this an outbound leg that has not rung yet?"""
        call = self._calls.get(self._call_of.get(row.unique_id, ""))
        leg = call.legs.get(row.unique_id) if call else None
        if leg is None:
            return row.exten in ("", "s")
        return leg.direction == "outbound" and leg.ringing_at is None

    async def _happened(self, rows: list[cel.CelRow]) -> list[_Happened]:
        named = [cel.names(row) for row in rows]
        owners = await _each(self._db.directory.endpoint_owner, {each.endpoint for each in named})
        users = await _each(self._user, {each.user_id for each in named})
        happened: list[_Happened] = []
        for row in rows:
            fact = cel.read(row, owners.get, users.get)
            if fact is not None:
                happened.append((fact, row.steady))
            if (other := cel.met_leg(row)) is not None:
                happened.append((Meeting(row.unique_id, other, row.time), row.steady))
        return happened

    async def _user(self, user_id: str) -> Party | None:
        found = await self._db.directory.user_owner(user_id)
        if found is None:
            return None
        number = found.sip_users[0] if found.sip_users else (found.extension or found.username)
        return Party(
            number=number, username=found.username, name=found.display_name, user_id=user_id
        )

    async def _record(self, happened: Iterable[_Happened], position: LogPosition | None) -> None:
        folding = self._new_fold()
        for fact, folding.steady in happened:
            await folding.take(fact)
        await self._commit(folding, position)

    def _new_fold(self) -> BatchFold:
        return BatchFold(self._calls, self._call_of, self._signals, self._db.calls, self._bridges)

    async def _commit(self, folding: BatchFold, position: LogPosition | None) -> None:
        batch = self._batch(folding, position)
        events: list[StoredEvent] = []
        if self._is_worth_a_commit(batch):
            events = await self._stored(self._db.calls.commit(batch))
        self._apply(folding)
        if events:
            self._bus.publish(events)

    def _is_worth_a_commit(self, batch: Batch) -> bool:
        """Rows that state nothing are read again after a kill, and again state nothing."""
        if not batch.facts and batch.position is not None:
            self._unsaved_parts += 1
            return self._unsaved_parts > _UNSAVED_PARTS
        self._unsaved_parts = 0
        return bool(batch.facts)

    async def _stored(self, committing: Awaitable[T]) -> T:
        try:
            stored = await committing
        except DatabaseUnavailable:
            self.refused_at = self._clock()
            raise
        self.refused_at = 0
        return stored

    def _batch(self, folding: BatchFold, position: LogPosition | None) -> Batch:
        limits = self._quality_limits
        ended = [call for call in folding.changed.values() if call.over]
        return Batch(
            facts=folding.kept,
            announcements=[
                of_call.announce(call, each, self._node, self._message_ids(each.at), limits)
                for call, heard in folding.heard
                for each in of_call.told_of(call, heard, limits)
            ],
            finished=[outcome.record(call) for call in ended if not call.withdrawn],
            plans={
                call.id: recording_plan(call)
                for call in ended
                if outcome.recording_name(call) and not call.withdrawn
            },
            opened=[(call.id, call.account_id, call.started_at) for call in folding.opened],
            closed=[call.id for call in ended],
            node_id=self._node_id,
            position=position,
        )

    def _apply(self, folding: BatchFold) -> None:
        for over in (call for call in folding.changed.values() if call.over):
            self._forget(over)
        for live in (call for call in folding.changed.values() if not call.over):
            self._remember(live)
        for leg_id, used in folding.used_early.items():
            self._signals.used(leg_id, used)
        for leg_id in folding.astray:
            self.on_astray(leg_id)
        for call, heard in folding.heard:
            if heard.name == "CHANNEL_DESTROY" and heard.leg_id:
                self.on_leg_over(call.legs[heard.leg_id])
            elif heard.name == "CALL_REFUSED":
                self.on_refused(call.refusals[-1].reason)

    def _remember(self, call: Call) -> None:
        self._calls[call.id] = call
        for id_ in (*call.legs, *call.absorbed):
            self._call_of[id_] = call.id
        self.lines.changed(call)
        self.on_change(call)

    def _forget(self, call: Call) -> None:
        """The call is over; legs that another call has taken in belong to that one."""
        self._calls.pop(call.id, None)
        self._bridges.forget(call.id)
        for id_ in (*call.legs, *call.absorbed):
            if self._call_of.get(id_) == call.id:
                del self._call_of[id_]
        if call.merged_into is None:
            for leg_id in call.legs:
                self._signals.forget(leg_id)
        self.lines.changed(call)
        self.on_change(call)


async def _each(
    read: Callable[[str], Awaitable[T | None]], names: Iterable[str | None]
) -> dict[str, T | None]:
    """The value of each name; all are read side by side."""
    wanted = [name for name in names if name]
    return dict(zip(wanted, await asyncio.gather(*map(read, wanted)), strict=True))
