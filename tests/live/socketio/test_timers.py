"""The wheel: one timer for all sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from trunkline.live.socketio.timers import TimerWheel

from ..conftest import until


class Alarm:
    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.slot = 0
        self.rang: list[float] = []
        self._act = act

    def due(self) -> None:
        self.rang.append(asyncio.get_running_loop().time())
        self._act()


async def test_each_rings_once_and_never_early() -> None:
    wheel, start = TimerWheel(0.01), asyncio.get_running_loop().time()
    alarms = [Alarm() for _ in range(100)]
    for n, alarm in enumerate(alarms):
        wheel.set(alarm, n / 1000)
    await until(lambda: not len(wheel))

    assert [len(alarm.rang) for alarm in alarms] == [1] * 100
    assert all(alarm.rang[0] >= start + n / 1000 for n, alarm in enumerate(alarms))


async def test_setting_again_moves_and_clearing_takes_off() -> None:
    wheel = TimerWheel(0.01)
    moved, cleared, last = Alarm(), Alarm(), Alarm()
    for alarm in (moved, cleared):
        wheel.set(alarm, 0.01)
    start = asyncio.get_running_loop().time()
    wheel.set(moved, 0.1)
    wheel.clear(cleared)
    wheel.clear(cleared)
    wheel.set(last, 0.12)
    await until(lambda: last.rang)

    assert (len(moved.rang), len(cleared.rang)) == (1, 0)
    assert moved.rang[0] >= start + 0.1


async def test_one_that_fails_or_clears_another_or_itself_sets_again_does_no_harm() -> None:
    wheel = TimerWheel(0.01)
    failing = Alarm(lambda: 1 / 0)
    victim = Alarm()
    clearing = Alarm(lambda: wheel.clear(victim))
    again = Alarm(lambda: len(again.rang) < 3 and wheel.set(again, 0.01))
    for alarm in (failing, clearing, victim, again):
        wheel.set(alarm, 0.01)
    await until(lambda: not len(wheel))

    assert [len(alarm.rang) for alarm in (failing, clearing, again)] == [1, 1, 3]


async def test_it_rests_while_there_is_nothing_and_starts_again() -> None:
    wheel, first, second = TimerWheel(0.01), Alarm(), Alarm()
    wheel.set(first, 0)
    await until(lambda: wheel._timer is None)
    wheel.set(second, 0)
    await until(lambda: second.rang)

    assert len(first.rang) == 1
