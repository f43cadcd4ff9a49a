"""Plays many plans, some at a time, with kills if they are wanted, and compares what was told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

from whole.firm import TONES
from whole.listener import RawWebSocket
from whole.party import Party
from whole.ports import loopback
from whole.stage import Stage, together
from whole.tones import Sound
from whole.waiting import NeverHappened, until

from .comparing import Difference, Told, compare
from .plans import Plan, plan
from .playing import Desk, Play, RefusedClick
from .truth import TrueCall

Kill = Literal["", "python", "engine"]
AT_ONCE = 8
"""Calls at a time, at most."""
BETWEEN = (6.0, 15.0)
"""Seconds between two kills."""
SETTLED = 30.0
SCOPES = "calls:read,events:read,recordings:read"


class Run:
    """All of it: ``set_up``, ``play``, ``differences``."""

    def __init__(
        self,
        stage: Stage,
        seed: int,
        kill: Kill = "",
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.stage, self.server, self.seed, self.kill, self.say = (
            stage, stage.server, seed, kill, say,
        )  # fmt: skip
        self.truths: list[TrueCall] = []
        self.unsure: list[float] = []
        self.unplayed: list[Difference] = []
        self.kills = 0
        self._plays: dict[asyncio.Task[None], Play] = {}
        self._healthy = asyncio.Event()
        self._healthy.set()

    # ---- The people -----------------------------------------------------------------------------------

    async def set_up(self, at_once: int) -> None:
        """An account with that many desks of three people, and a carrier."""
        stage, self.tenant = self.stage, await self.stage.tenant()
        address, port = loopback(), stage.ports.one()
        people = {
            f"{name}{desk}": ("--extension", f"{desk + 1}0{one}")
            for desk in range(at_once)
            for one, name in enumerate(("ann", "ben", "cas"), 1)
        }
        devices = await self.tenant.people(**people)
        whose, dids = ("--account", self.tenant.name), [f"028730{n:05d}" for n in range(at_once)]
        made, *_ = await self.server.commands(
            ("key", "create", "look", *whose, "--scopes", SCOPES),
            ("trunk", "create", "line", *whose, "--host", f"{address}:{port}", "--match", address),
            *(
                ("number", "create", *whose, did, "--to", f"user:ann{desk}")
                for desk, did in enumerate(dids)
            ),
        )
        self._key = {"Authorization": f"Bearer {made['key']}"}
        self.carrier = await stage.far_party("carrier", address, port, tone=1000)
        parties = await together(
            *(stage.party(one, tone=TONES[at % 3]) for at, one in enumerate(devices))
        )
        self.desks = [
            Desk(
                stage,
                self.tenant,
                self.carrier,
                parties[3 * desk : 3 * desk + 3],
                devices[3 * desk : 3 * desk + 3],
                [f"{desk + 1}0{one}" for one in (1, 2, 3)],
                did,
            )
            for desk, did in enumerate(dids)
        ]
        self.since = datetime.now(UTC)

    @property
    def parties(self) -> list[Party]:
        return [self.carrier, *(party for desk in self.desks for party in desk.people)]

    # ---- The calls ------------------------------------------------------------------------------------

    async def play(self, numbers: list[int]) -> None:
        """Play the plans of those numbers, each at the next free desk."""
        waiting = iter(numbers)
        killing = asyncio.create_task(self._kill_now_and_then()) if self.kill else None
        await together(*(self._work(desk, waiting) for desk in self.desks))
        if killing:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
            await self._healthy.wait()

    async def _work(self, desk: Desk, numbers: Any) -> None:
        for number in numbers:
            await self._healthy.wait()
            play = Play(desk, plan(self.seed, number))
            task = asyncio.create_task(self._one(play))
            self._plays[task] = play
            await asyncio.wait([task])
            del self._plays[task]
            if not task.cancelled():
                task.result()
            self.truths += play.truths
            self.unsure += play.unsure
            await self._settle(desk)

    async def _one(self, play: Play) -> None:
        plan_ = play.plan
        began = self.kills
        try:
            await play.go()
        except RefusedClick as refused:
            if not self.kill:
                self._not_played(plan_, f"the click was refused: {refused}")
            await asyncio.sleep(6 if self.kill else 0)
        except (NeverHappened, AssertionError) as error:
            disturbed = self.kill == "engine" and began != self.kills
            if not disturbed:
                self._not_played(plan_, f"could not be played: {str(error).splitlines()[0]}")
            for truth in play.truths:
                truth.disturbed, truth.unplayed = disturbed, not disturbed

    def _not_played(self, plan_: Plan, what: str) -> None:
        self.unplayed.append(Difference(plan_.number, f"{plan_}: {what}"))
        self.say(f"call {plan_.number} ({plan_}): {what}")

    async def _settle(self, desk: Desk) -> None:
        for party in desk.people:
            await asyncio.gather(*(call.hang_up() for call in party.live), return_exceptions=True)
        for call in [call for call in self.carrier.calls if call.over_at]:
            self.carrier.calls.remove(call)

    # ---- Kills ----------------------------------------------------------------------------------------

    async def _kill_now_and_then(self) -> None:
        dice = Random(f"{self.seed}:kill")
        while True:
            await asyncio.sleep(dice.uniform(*BETWEEN))
            self.kills += 1
            self.say(f"kill {self.kills}: {self.kill}")
            if self.kill == "python":
                await self.server.kill9()
                self.server.launch()
                await until(self.server.healthy, "the server again", 60)
            else:
                await self._kill_engine()

    async def _kill_engine(self) -> None:
        """Whoever is in a call drops it, as phones do that hear nothing any more."""
        self._healthy.clear()
        try:
            self.server.kill9_engine()
            for task, play in [*self._plays.items()]:
                for truth in play.truths:
                    truth.cut_off(time.monotonic())
                task.cancel()
            await asyncio.gather(*(party.forget() for party in self.parties))
            await asyncio.sleep(1)
            await until(self.server.healthy, "the engine again", 60)
            for desk in self.desks:
                await together(*(party.register() for party in desk.people))
        finally:
            self._healthy.set()

    # ---- What was told --------------------------------------------------------------------------------

    async def differences(self) -> list[Difference]:
        """All differences, once everything that is to come has come."""
        told = await self._told()
        for party in self.parties:
            if not self.kill:
                self.unplayed += [Difference(None, line) for line in party.odd]
        return self.unplayed + compare(self.truths, told, self.unsure)

    async def _told(self) -> Told:
        listener = await self.stage.listen(RawWebSocket, self.tenant, 0)
        wanted = {truth.clicked for truth in self.truths if truth.clicked}

        def ended() -> bool:
            calls = {e.call_id for e in listener.events.all if e.name.startswith("CHANNEL_")}
            over = {e.call_id for e in listener.events.all if e.name == "CALL_ENDED"}
            return calls | wanted <= over

        with suppress(NeverHappened):
            await until(ended, "CALL_ENDED of every call", SETTLED)
        records = await self.tenant.api.history()
        with suppress(NeverHappened):
            await until(lambda: _all_recorded(records, listener), "recordings", SETTLED)
        with suppress(NeverHappened):
            patience = 4 * SETTLED if self.kill else SETTLED  # what a killed run knew is found out
            await until(lambda: not self._spool(records), "an empty spool", patience)
        events = list(listener.events.all)
        calls = dict.fromkeys(e.call_id for e in events if e.name.startswith("CHANNEL_"))
        calls |= dict.fromkeys(wanted)
        shown = {one: await self._get(f"/v1/calls/{one}") for one in calls}
        return Told(
            events=events,
            records=records,
            shown=shown,
            sounds={r["call_id"]: s for r in records if (s := await self._sound(r))},
            totals=await self._totals(),
            left=self._spool(records),
        )

    def _spool(self, records: list[dict[str, Any]]) -> list[str]:
        """Raw audio of these calls that still waits."""
        names = {record["call_id"].replace(".", "-") for record in records}
        files = (self.server.data / "engine" / "spool").rglob("*.raw")
        return [
            f"{file.name} ({file.stat().st_size} bytes)" for file in files if file.stem in names
        ]

    async def _get(self, path: str, **query: str) -> Any:
        while True:
            answer = await self.tenant.api.http.get(path, params=query, headers=self._key)
            if answer.status_code == 429:
                await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
                continue
            assert answer.status_code == 200, (path, answer.text)
            return answer.json()

    async def _sound(self, record: dict[str, Any]) -> Sound | None:
        if not record["recording"]:
            return None
        answer = await self.tenant.api.play_recording(record["recording"])
        while answer.status_code == 503:
            await asyncio.sleep(1)
            answer = await self.tenant.api.play_recording(record["recording"])
        if answer.status_code != 200:
            return None
        return Sound((await self.tenant.api.http.get(answer.json()["media"])).content)

    async def _totals(self) -> dict[str, Any]:
        begin, end = self.since - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
        window = {"from": begin.isoformat(), "to": end.isoformat(), "interval": "day"}

        async def complete() -> dict[str, Any]:
            found = await self._get("/v1/stats", **window)
            return dict(found["totals"]) if found["complete"] else {}

        return await until(complete, "statistics of all calls", SETTLED)


def _all_recorded(records: list[dict[str, Any]], listener: RawWebSocket) -> bool:
    made = {e.call_id for e in listener.events.all if e.name.startswith("RECORDING_")}
    return {one["call_id"] for one in records if one["recording"]} <= made


def report(seed: int, found: list[Difference], seconds: float, calls: int, kills: int) -> str:
    """For people: every difference, with what plays its call again."""
    lines = []
    for each in sorted(found, key=lambda one: (one.explained != "", one.plan or -1)):
        again = f' (make random-calls ARGS="--seed {seed} --only {each.plan}")'
        why = f" [{each.explained}]" if each.explained else ""
        where = "" if each.plan is None else f"call {each.plan}: "
        lines.append(f"{where}{each.what}{why}{again if each.plan is not None else ''}")
    wrong = sum(not each.explained for each in found)
    took = time.strftime("%M:%S", time.gmtime(seconds))
    lines.append(
        f"seed {seed}: {calls} calls in {took}, {kills} kills; "
        f"{wrong} differences, {len(found) - wrong} more that a kill explains"
    )
    return "\n".join(lines)
