"""Plays a plan with real SIP, and writes down what is true of it."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field

from whole.firm import INBOUND, INTERNAL, OUT
from whole.party import Call, Party, Taking
from whole.stage import Device, Stage, Tenant, together
from whole.waiting import NeverHappened

from .plans import Answer, Plan, Step
from .truth import End, TrueCall

HEARD = 0.3
"""Seconds of a tone after which somebody counts as heard."""
ONE_CLICK = 3.5
"""Seconds in which the same click counts as one, and a bit."""
TONES = (1400, 1650, 1900, 2150, 2400, 2650, 2900)
BUSY, NEVER = (486, 603), Taking(after=None)


@dataclass
class Desk:
    """Three people who make one call after the other, and a number that leads to the first."""

    stage: Stage
    tenant: Tenant
    carrier: Party
    people: list[Party]
    devices: list[Device]
    extensions: list[str]
    did: str
    clicked_at: float = 0

    def name(self, party: Party) -> str:
        return self.devices[self.people.index(party)].username

    def extension(self, party: Party) -> str:
        return self.extensions[self.people.index(party)]

    def free(self, *busy: Party) -> Party:
        """Somebody who is not one of those."""
        return next(each for each in self.people if each not in busy)


class RefusedClick(Exception):
    """A click was not taken on; with its answer."""


@dataclass
class Play:
    """One plan as it goes."""

    desk: Desk
    plan: Plan
    truths: list[TrueCall] = field(default_factory=list)
    unsure: list[float] = field(default_factory=list)
    """When clicks were sent (Unix seconds) that nobody answered."""

    def __post_init__(self) -> None:
        self._outside = itertools.count()
        self._tones = itertools.cycle(TONES)
        for party in self.desk.people:
            party.taking = Taking()
            party.calls.clear()

    async def go(self) -> None:
        """Play it all to its end; raises NeverHappened where what has to come does not."""
        ends = await self._begin()
        if ends is None:
            return
        truth = self.truths[0]
        for step in self.plan.steps:
            ends, truth = await self._step(step, ends, truth)
            if not all(end.call.up_at and not end.call.over_at for end in ends):
                return
        await asyncio.sleep(self.plan.last)
        await ends[self.plan.ends].call.hang_up()
        await together(*(end.call.over() for end in ends))
        truth.parted(ends[self.plan.ends].call.over_at)

    # ---- The first call -----------------------------------------------------------------------------

    async def _begin(self) -> list[End] | None:
        desk, plan = self.desk, self.plan
        first, second = desk.people[:2]
        number = desk.extension(second)
        if plan.kind == "internal":
            truth = self._truth(INTERNAL, desk.name(first), desk.name(second))
            self._expect(second, plan.answer)
            call = self._dial(first, number, truth)
            return await self._ring(truth, End(call, desk.name(first), True, 0), second)
        if plan.kind == "inbound":
            caller = self._number("096")
            truth = self._truth(INBOUND, caller, desk.name(first), desk.did)
            self._expect(first, plan.answer)
            call = desk.carrier.dial(desk.did, caller=caller, tone=next(self._tones))
            self._dialled(truth, caller, desk.did)
            return await self._ring(truth, End(call, caller, False, 0), first)
        if plan.kind == "outbound":
            number = self._number()
            truth = self._truth(OUT, desk.name(first), number)
            self._expect(desk.carrier, plan.answer, number=number)
            call = self._dial(first, number, truth)
            return await self._ring(truth, End(call, desk.name(first), True, 0), desk.carrier)
        return await self._click(first, second)

    async def _click(self, first: Party, second: Party) -> list[End] | None:
        desk, plan = self.desk, self.plan
        inside = plan.kind == "click inside"
        callee = second if inside else desk.carrier
        number = desk.extension(second) if inside else self._number()
        truth = self._truth(
            INTERNAL if inside else OUT, desk.name(first), desk.name(second) if inside else number
        )
        self._expect(first, plan.device)
        self._expect(callee, plan.answer, number="" if inside else number)
        device = desk.devices[desk.people.index(first)]
        await asyncio.sleep(desk.clicked_at + ONE_CLICK - time.monotonic() if inside else 0)
        desk.clicked_at = time.monotonic()
        truth.dialled_at = time.time()
        try:
            answer = await desk.tenant.api.click_to_call(number, device.sip_user, device.password)
        except Exception as error:
            self.unsure.append(truth.dialled_at)
            self.truths.remove(truth)
            raise RefusedClick(repr(error)) from error
        if answer.status_code != 200:
            self.truths.remove(truth)
            raise RefusedClick(answer.text)
        truth.clicked = answer.json()["call_id"]
        leg = await first.rung()
        if plan.device.code != 200:
            await leg.over(30)
            truth.status = "UNSUCCESS"
            return None
        await leg.up()
        return await self._ring(truth, End(leg, desk.name(first), True, 0), callee)

    async def _ring(self, truth: TrueCall, caller: End, called: Party) -> list[End] | None:
        """From the INVITE to the answer, or to what came of it instead."""
        plan, desk = self.plan, self.desk
        number = truth.callee if called is desk.carrier else ""
        if plan.forward:
            return await self._forwarded(truth, caller, called)
        if plan.patience:
            ringing = await called.rung(number)
            await asyncio.sleep(plan.patience)
            await caller.call.hang_up()
            await together(caller.call.over(), ringing.over())
            truth.status = "UNSUCCESS" if truth.kind == INBOUND else "CANCELLED"
            return None
        if plan.answer.code != 200:
            await caller.call.over(30)
            truth.status = "BUSY" if plan.answer.code in BUSY else "UNSUCCESS"
            return None
        return await self._joined(truth, caller, await called.rung(number), truth.callee)

    async def _forwarded(self, truth: TrueCall, caller: End, called: Party) -> list[End] | None:
        """The called phone answers 302; who it leads to takes the call."""
        desk, third = self.desk, self.desk.people[2]
        outside = self.plan.forward == "outside"
        to = self._number() if outside else desk.extension(third)
        called.taking = Taking(code=302, to=f"sip:{to}@{called.server}")
        if outside:
            desk.carrier.takings[to] = Taking(tone=next(self._tones))
        new = await (desk.carrier if outside else third).rung(to if outside else "")
        truth.callee = to if outside else desk.name(third)
        return await self._joined(truth, caller, new, truth.callee)

    async def _joined(self, truth: TrueCall, caller: End, new: Call, name: str) -> list[End] | None:
        await together(caller.call.up(30), new.up(30))
        other = End(new, name, new.party is not self.desk.carrier, 1)
        truth.calls += [caller.call, new]
        truth.reached_outside |= not other.device
        truth.joined(max(caller.call.up_at, new.up_at), (0, caller.call.tone), (1, other.call.tone))
        await self._hear(caller, other)
        return [caller, other]

    # ---- What happens in it ---------------------------------------------------------------------------

    async def _step(
        self, step: Step, ends: list[End], truth: TrueCall
    ) -> tuple[list[End], TrueCall]:
        """Gives who talks afterwards, and in which call."""
        who = ends[step.who] if ends[step.who].device else ends[1 - step.who]
        if step.verb == "talk" or not who.device:
            await asyncio.sleep(step.seconds)
            return ends, truth
        other = ends[1 - ends.index(who)]
        if step.verb == "hold":
            await who.call.hold()
            await asyncio.sleep(step.seconds)
            await who.call.resume()
            await self._hear(who, other)
            return ends, truth
        if step.verb == "blind":
            return await self._blind(step, ends, who, other, truth)
        return await self._attended(step, ends, who, other, truth)

    async def _blind(
        self, step: Step, ends: list[End], who: End, other: End, truth: TrueCall
    ) -> tuple[list[End], TrueCall]:
        called, number, name = self._target(step, who, other)
        moving = asyncio.create_task(who.call.transfer(number))
        try:
            if step.answer.code != 200:
                await other.call.over(30)
                truth.parted(who.call.left_at)
                return ends, truth
            new = await called.rung(number if called is self.desk.carrier else "")
            await new.up()
            truth.parted(who.call.left_at)
            end = End(new, name, called is not self.desk.carrier, who.channel)
            truth.calls.append(new)
            truth.reached_outside |= not end.device
            truth.joined(new.up_at, (end.channel, new.tone))
            await self._hear(end, other)
        finally:
            await _settled(moving, who.call)
        return [end if each is who else each for each in ends], truth

    async def _attended(
        self, step: Step, ends: list[End], who: End, other: End, truth: TrueCall
    ) -> tuple[list[End], TrueCall]:
        desk = self.desk
        called, number, name = self._target(step, who, other)
        await who.call.hold()
        kind = OUT if called is desk.carrier else INTERNAL
        second = self._truth(kind, who.name, name)
        asking = self._dial(who.call.party, number, second)
        if step.answer.code != 200:
            await asking.over(30)
            second.status = "BUSY" if step.answer.code in BUSY else "UNSUCCESS"
            return await self._back(ends, who, other, truth)
        new = await called.rung(number if called is desk.carrier else "")
        await together(asking.up(), new.up())
        target = End(new, name, called is not desk.carrier, 1)
        second.calls += [asking, new]
        second.joined(max(asking.up_at, new.up_at), (0, asking.tone), (1, new.tone))
        await self._hear(End(asking, who.name, True, 0), target)
        await asyncio.sleep(step.seconds)
        if step.back:
            await asking.hang_up()
            await new.over()
            second.parted(asking.over_at)
            return await self._back(ends, who, other, truth)
        sent, named = (asking, who.call) if step.newer else (who.call, asking)
        said = await sent.transfer(named)
        if said[-1] != 200:
            raise NeverHappened(f"the REFER was answered {said}")
        await together(who.call.over(), asking.over())
        return await self._merged(ends, who, other, target, truth, second, sent.moved_at)

    async def _merged(
        self,
        ends: list[End],
        who: End,
        other: End,
        target: End,
        older: TrueCall,
        newer: TrueCall,
        at: float,
    ) -> tuple[list[End], TrueCall]:
        """The call with somebody outside goes on, of two of a kind the older one."""
        if newer.outside and not older.outside:
            main, absorbed, channel, comes = newer, older, 0, other
        else:
            main, absorbed, channel, comes = older, newer, who.channel, target
        absorbed.parted(at)
        absorbed.into = main
        comes.channel = channel
        main.spoke[channel].append(comes.call.tone)
        main.calls.append(comes.call)
        if main is newer:
            target.channel = 1
        await self._hear(other, target)
        return [target if each is who else each for each in ends], main

    async def _back(
        self, ends: list[End], who: End, other: End, truth: TrueCall
    ) -> tuple[list[End], TrueCall]:
        await who.call.resume()
        await self._hear(who, other)
        return ends, truth

    # ---- Pieces ---------------------------------------------------------------------------------------

    def _truth(self, kind: tuple[str, str], caller: str, callee: str, did: str = "") -> TrueCall:
        truth = TrueCall(self.plan.number, kind, caller, callee, did or None)
        self.truths.append(truth)
        return truth

    def _dial(self, party: Party, number: str, truth: TrueCall) -> Call:
        self._dialled(truth, self.desk.name(party), number)
        return party.dial(number)

    def _dialled(self, truth: TrueCall, who: str, number: str) -> None:
        truth.dialled, truth.dialled_at = (who, number), time.time()

    def _number(self, prefix: str = "090") -> str:
        """A number outside that no other call has."""
        return f"{prefix}{self.plan.number:05d}{next(self._outside):02d}"

    def _target(self, step: Step, *busy: End) -> tuple[Party, str, str]:
        """(who is called, the number to dial, how the history names them)."""
        desk = self.desk
        if step.target == "outside":
            number = self._number()
            self._expect(desk.carrier, step.answer, number=number)
            return desk.carrier, number, number
        party = desk.free(*(end.call.party for end in busy))
        self._expect(party, step.answer)
        return party, desk.extension(party), desk.name(party)

    def _expect(self, party: Party, answer: Answer, number: str = "") -> None:
        """How that party takes its next call, or the calls to that number."""
        taking = NEVER if answer.code == 0 else Taking(answer.after, answer.code, answer.alert)
        if number:
            taking = Taking(taking.after, taking.code, answer.alert, tone=next(self._tones))
            party.takings[number] = taking
        else:
            party.taking = taking
            for before in party.calls:  # what is waited for from now on is its next call
                before.given = True

    async def _hear(self, one: End, other: End) -> None:
        await together(
            one.call.voice.hears(other.call.tone, HEARD),
            other.call.voice.hears(one.call.tone, HEARD),
        )


async def _settled(moving: asyncio.Task[list[int]], call: Call) -> None:
    """After a blind transfer the phone that sent it hangs up, whatever it was told."""
    await asyncio.wait([moving], timeout=5)
    if not moving.done():
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
    await call.hang_up()
