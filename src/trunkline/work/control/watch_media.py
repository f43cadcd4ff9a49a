"""Hang up legs that fell silent: no audio and no report has come from their far end for a while.

A laptop that is closed in a call sends no BYE, and nobody notices what it no longer sends. An
engine before 22.11 cannot watch by itself without the risk of a deadlock (asterisk#1946), so each leg's
counts are read here, one leg after the other, spread evenly over the round.

A phone that put the other one on hold may send nothing, and neither may the other one. While this process is
dead, only ``max_call_seconds`` ends such calls; time that it knows nothing of counts as life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import structlog

from trunkline.calls import facts as f
from trunkline.calls.call import Call, Leg
from trunkline.calls.times import SECOND
from trunkline.engine.port import Engine, EngineUnavailable
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.work.follow.follow_log import CallLog

log = structlog.get_logger()

_LOOKS = 6
"""So often it looks at a leg before the leg counts as silent; the last sign may be one such interval older."""
_LONGEST_ROUND = 5.0


class _Sign(NamedTuple):
    """A leg's counts when it last gave a sign, and when that was: by the clock, and for measuring."""

    of: tuple[float, ...] | None
    at: int
    since: float


class WatchMedia:
    """The verb. ``seconds`` 0 watches nothing; ``clock`` gives unix microseconds, ``timer`` seconds."""

    def __init__(
        self,
        engine: Engine,
        calls: CallLog,
        seconds: int,
        clock: Callable[[], int],
        timer: Callable[[], float],
    ) -> None:
        self._engine, self._calls, self._seconds = engine, calls, seconds
        self._clock, self._timer = clock, timer
        self._round = min(_LONGEST_ROUND, seconds / _LOOKS)
        self._signs: dict[str, _Sign] = {}

    async def run(self) -> None:
        while self._seconds:
            await self.look_round()

    async def look_round(self) -> None:
        """One look at each leg that was picked up, spread over the time of a round."""
        legs = self._legs()
        self._signs = {leg_id: sign for leg_id, sign in self._signs.items() if leg_id in legs}
        for leg_id, call_id in legs.items():
            await asyncio.sleep(self._round / len(legs))
            try:
                await self._look(call_id, leg_id)
            except EngineUnavailable:  # an engine that stood still counted nothing meanwhile
                self._signs.clear()
            except DatabaseUnavailable as error:
                log.warning("media.not_stored", leg_id=leg_id, error=str(error))
        if not legs:
            await asyncio.sleep(self._round)

    def _legs(self) -> dict[str, str]:
        """The legs that should be heard from -> their calls."""
        return {
            leg.id: call.id
            for call in self._calls.live.values()
            for leg in call.legs.values()
            if _up(leg)
        }

    async def _look(self, call_id: str, leg_id: str) -> None:
        call = self._calls.live.get(call_id)
        leg = call.legs.get(leg_id) if call else None
        if call is None or leg is None or not _up(leg):
            return
        if leg.fell_silent_at is not None:  # we were killed before we hung it up
            await self._engine.hang_up(leg_id)
            return
        now = _Sign(await self._engine.heard_of(leg_id), self._clock(), self._timer())
        last = self._signs.get(leg_id)
        if last is None or now.of is None or now.of != last.of or _on_hold(call, leg):
            self._signs[leg_id] = now
        elif now.since - last.since >= self._seconds:
            await self._silent(call, leg, last, now)

    async def _silent(self, call: Call, leg: Leg, last: _Sign, now: _Sign) -> None:
        together = {leg.id, *(other.id for other in call.in_bridge(leg.bridge))}
        for each in together:  # only the engine knows of a hold that came while nobody listened
            if await self._engine.on_hold(each):
                self._signs[leg.id] = now
                return
        log.warning("media.fell_silent", call_id=call.id, leg_id=leg.id, seconds=self._seconds)
        heard_at = now.at - round((now.since - last.since) * SECOND)
        silent = f.LegFellSilent(call_id=call.id, leg_id=leg.id, at=now.at, last_sign=heard_at)
        await self._calls.record([silent])
        await self._engine.hang_up(leg.id)


def _up(leg: Leg) -> bool:
    return leg.answered_at is not None and leg.hung_up_at is None and leg.ended_at is None


def _on_hold(call: Call, leg: Leg) -> bool:
    return leg.held or any(other.held for other in call.in_bridge(leg.bridge))
