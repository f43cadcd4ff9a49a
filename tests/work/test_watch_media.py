"""Legs that fell silent are hung up, and no others: time is in the test's hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trunkline.calls import facts as f
from trunkline.calls.fold import refold
from trunkline.calls.outcome import record
from trunkline.engine.port import EngineUnavailable
from trunkline.work.control import watch_media as module
from trunkline.work.control.watch_media import WatchMedia

from .desk import SECOND, Desk
from .talking import CALL, PHONE_LEG, TRUNK_LEG, talk

TIMEOUT = 60
ROUND = 5


class Ears:
    """An engine that tells what has been heard of each leg, and writes down whom it hung up."""

    def __init__(self) -> None:
        self.heard: dict[str, tuple[float, ...] | None] = {TRUNK_LEG: (0,), PHONE_LEG: (0,)}
        self.holds: set[str] = set()
        self.hung_up: list[str] = []
        self.away = False

    async def heard_of(self, leg_id: str) -> tuple[float, ...] | None:
        if self.away:
            raise EngineUnavailable("away")
        return self.heard[leg_id]

    async def on_hold(self, leg_id: str) -> bool:
        return leg_id in self.holds

    async def hang_up(self, leg_id: str) -> None:
        if self.away:
            raise EngineUnavailable("away")
        self.hung_up.append(leg_id)


class Watched:
    """The call, those who speak in it, and a clock that a round moves."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.ears = desk, Ears()
        self.speak = {TRUNK_LEG, PHONE_LEG}
        self.begin()

    def begin(self) -> None:
        """A new process."""
        engine: Any = self.ears
        clock = lambda: self.desk.now  # noqa: E731
        self.watch = WatchMedia(
            engine, self.desk.calls, TIMEOUT, clock, lambda: self.desk.now / SECOND
        )

    async def rounds(self, seconds: int) -> None:
        for _ in range(seconds // ROUND):
            self.desk.now += ROUND * SECOND
            for leg_id in self.speak:
                self.ears.heard[leg_id] = ((self.ears.heard[leg_id] or (0,))[0] + 250,)
            await self.watch.look_round()

    async def tell(self, kind: Any, leg_id: str, **more: Any) -> None:
        fact = kind(call_id=CALL, leg_id=leg_id, at=self.desk.now, **more)
        await self.desk.calls.record([fact])


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    async def at_once(_seconds: float) -> None: ...

    monkeypatch.setattr(module.asyncio, "sleep", at_once)
    made = Watched(Desk(tmp_path / "trunkline.db"))
    await talk(made.desk)
    made.desk.now += 2 * SECOND
    return made


async def test_who_speaks_stays(scene: Watched) -> None:
    await scene.rounds(600)
    assert scene.ears.hung_up == []


async def test_a_silent_leg_is_hung_up_once_and_billed_to_its_last_sign(scene: Watched) -> None:
    await scene.rounds(30)
    last, scene.speak = scene.desk.now, {TRUNK_LEG}
    await scene.rounds(TIMEOUT - ROUND)
    assert scene.ears.hung_up == []
    await scene.rounds(ROUND)
    assert scene.ears.hung_up == [PHONE_LEG]
    for leg_id in (PHONE_LEG, TRUNK_LEG):
        await scene.tell(f.LegHungUp, leg_id, cause=16)
    await scene.rounds(ROUND)
    assert scene.ears.hung_up == [PHONE_LEG]
    for leg_id in (PHONE_LEG, TRUNK_LEG):
        await scene.tell(f.LegEnded, leg_id)
    call = refold(list(await scene.desk.database.calls.facts(CALL)))
    assert call is not None
    made = record(call)
    began = call.started_at + SECOND + 2  # the second one's joining
    assert (made.hangup_cause, made.status_detail) == ("MEDIA_TIMEOUT", "SUCCESS")
    assert made.billing_seconds == -(-(last - began) // SECOND)
    assert made.duration_seconds >= made.billing_seconds + TIMEOUT
    assert call.legs[PHONE_LEG].talked == call.legs[TRUNK_LEG].talked == last - began


async def test_any_change_is_a_sign_also_a_count_that_begins_anew(scene: Watched) -> None:
    await scene.rounds(30)
    scene.speak = {TRUNK_LEG}
    for sign in (
        (3,),
        (3, 0.2),
        (3, 0.21),
        (0,),
    ):  # another source; reports; reports; another source
        await scene.rounds(TIMEOUT - ROUND)
        scene.ears.heard[PHONE_LEG] = sign
    await scene.rounds(ROUND)
    assert scene.ears.hung_up == []


@pytest.mark.parametrize("holds", [TRUNK_LEG, PHONE_LEG])
async def test_neither_side_of_a_hold_is_cut_and_the_time_begins_after_it(
    scene: Watched, holds: str
) -> None:
    await scene.rounds(10)
    await scene.tell(f.LegHeld, holds)
    scene.speak = set()
    await scene.rounds(900)
    assert scene.ears.hung_up == []
    scene.desk.now += SECOND
    await scene.tell(f.LegUnheld, holds)
    await scene.rounds(TIMEOUT - ROUND)
    assert scene.ears.hung_up == []
    scene.speak = {TRUNK_LEG}
    await scene.rounds(2 * ROUND)
    assert set(scene.ears.hung_up) == {PHONE_LEG}


@pytest.mark.parametrize("holds", [TRUNK_LEG, PHONE_LEG])
async def test_a_hold_that_nobody_heard_of_is_asked_for(scene: Watched, holds: str) -> None:
    await scene.rounds(10)
    scene.speak, scene.ears.holds = set(), {holds}
    await scene.rounds(600)
    assert scene.ears.hung_up == []


async def test_a_new_process_gives_a_leg_its_whole_time_again(scene: Watched) -> None:
    await scene.rounds(10)
    scene.speak = {TRUNK_LEG}
    await scene.rounds(TIMEOUT - 2 * ROUND)
    scene.begin()
    await scene.rounds(TIMEOUT)
    assert scene.ears.hung_up == []
    await scene.rounds(ROUND)
    assert scene.ears.hung_up == [PHONE_LEG]


async def test_an_engine_that_does_not_answer_makes_nobody_silent(scene: Watched) -> None:
    await scene.rounds(10)
    scene.speak = set()
    await scene.rounds(TIMEOUT - 2 * ROUND)
    scene.ears.away = True
    await scene.rounds(ROUND)
    scene.ears.away = False
    await scene.rounds(TIMEOUT)
    assert scene.ears.hung_up == []
    await scene.rounds(ROUND)
    assert scene.ears.hung_up


async def test_what_a_kill_left_undone_is_done(scene: Watched) -> None:
    await scene.tell(f.LegFellSilent, PHONE_LEG, last_sign=scene.desk.now - SECOND)
    scene.begin()
    await scene.rounds(ROUND)
    assert scene.ears.hung_up == [PHONE_LEG]


async def test_a_leg_that_cannot_be_counted_is_left_alone(scene: Watched) -> None:
    scene.speak, scene.ears.heard = set(), {TRUNK_LEG: None, PHONE_LEG: None}
    await scene.rounds(600)
    assert scene.ears.hung_up == []


async def test_a_leg_that_rings_is_not_watched(scene: Watched) -> None:
    started = f.LegStarted(
        call_id=CALL, leg_id="rings", at=scene.desk.now, account_id=scene.desk.account.account_id,
        direction="outbound", endpoint="an1", endpoint_kind="device",
    )  # fmt: skip
    await scene.desk.calls.record([started])
    await scene.rounds(300)  # Ears would raise KeyError for it
    assert scene.ears.hung_up == []
