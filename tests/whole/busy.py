"""An office that is busy all the time, and what has to be true of it in the end."""

from __future__ import annotations

import asyncio
import itertools
import signal
from typing import Any

import httpx

from .carrier import Calling
from .listener import RawWebSocket, SocketIo
from .phone import Phone
from .ports import loopback
from .readers import Receiver, Stream
from .scenarios import BRIEF
from .stage import Device, Stage, Tenant, together
from .tones import Sound
from .truth import numbers, truthful
from .waiting import until

DID = "842873009000"
BOB = "102"
CATCH_UP = 60
SOON = 5
"""Seconds in which everything is answered, also while the database is away."""


class Clicks:
    """Clicks all the time, each to a number of its own, and keeps what was answered."""

    def __init__(self, tenant: Tenant, device: Device, every: float) -> None:
        self._tenant, self._device, self._every = tenant, device, every
        self.placed: dict[str, str] = {}
        """The call that was promised, by its number."""
        self.refused: list[str] = []
        """The numbers of clicks that were refused."""
        self.odd: list[str] = []
        self._going = asyncio.create_task(self._go())

    async def _go(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for count in itertools.count(1):
                tasks.create_task(self.one(f"849{count:05d}{BRIEF}"))
                await asyncio.sleep(self._every)

    async def one(self, number: str) -> None:
        """One click, which is to be answered soon."""
        device = self._device
        try:
            async with asyncio.timeout(SOON):
                answer = await self._tenant.api.click_to_call(
                    number, device.sip_user, device.password, key=f"key-{number}"
                )
        except (httpx.HTTPError, TimeoutError) as error:
            self.odd.append(f"{number}: {error!r}")
            return
        if answer.status_code == 200:
            self.placed[number] = answer.json()["call_id"]
        elif is_refusal(answer):
            self.refused.append(number)
        else:
            self.odd.append(f"{number}: {answer.status_code} {answer.text}")

    async def stop(self) -> None:
        """Click no more."""
        self._going.cancel()
        await asyncio.gather(self._going, return_exceptions=True)


def is_refusal(answer: httpx.Response) -> bool:
    """Is it what the contract says while nothing can be stored?"""
    told = (answer.status_code, answer.json().get("message"))
    return told == (503, "ENGINE_UNAVAILABLE") and int(answer.headers["Retry-After"]) > 0


class Office:
    """An account with calls under way all the time, and everybody who reads its events."""

    tenant: Tenant
    clicks: Clicks
    calling: Calling
    sockets: list[Any]
    stream: Stream
    receiver: Receiver
    key: str
    alice: Device
    phone: Phone
    bob: Phone

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def open(self, every: float = 0.5, rate: float = 2, calls: int = 1000) -> None:
        """Have calls made: a click each ``every`` seconds, ``rate`` a second from outside."""
        stage, address = self.stage, loopback()
        self.tenant = tenant = await stage.tenant()
        self.alice, desk = await tenant.user("alice"), await tenant.user("desk")
        # Calls pile up beside another load.
        unlimited = ("--max-calls", "none", "--max-rate", "none")
        await stage.server.cli("device", "set", desk.sip_user, *unlimited)
        bob = await tenant.user("bob", "--extension", BOB)
        await tenant.trunk(f"{address}:5060")
        await tenant.number(DID, "desk")
        await self._readers()
        await stage.sipp_phone(desk)
        await stage.carrier(address, 5060)
        self.phone, self.bob = await together(
            stage.phone(self.alice, tone=500), stage.phone(bob, tone=900)
        )
        self.clicks = Clicks(tenant, desk, every)
        self.calling = stage.calling(address, DID, calls=calls, rate=rate, hold=3)

    async def _readers(self) -> None:
        tenant, stage = self.tenant, self.stage
        made = await tenant.server.cli(
            *("key", "create", "crm", "--account", tenant.name),
            *("--scopes", "events:read,webhooks:write,calls:read"),
        )
        self.key, self.receiver = made["key"], Receiver()
        hook = {"url": await self.receiver.open(), "after": 0}
        answer = await self.v1("POST", "/v1/webhooks", json=hook)
        assert answer.is_success, answer.text
        self.stream = Stream(tenant.server.url, self.key, 0)
        self.sockets = [await stage.listen(kind, tenant, 0) for kind in (SocketIo, RawWebSocket)]

    async def v1(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request with a key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with asyncio.timeout(SOON):
            return await self.tenant.api.http.request(method, path, headers=headers, **options)

    async def begins(self, count: int) -> None:
        """Wait until that many more of both kinds of calls have begun."""
        clicked, called = len(self.clicks.placed) + count, self.calling.begun + count
        await until(lambda: len(self.clicks.placed) >= clicked, f"{count} more clicks", 40)
        await until(lambda: self.calling.begun >= called, f"{count} more calls", 40)

    async def talk(self) -> None:
        """Alice talks to Bob."""
        call_id = await self.tenant.click(self.alice, BOB)
        self.clicks.placed[f"{BOB}: {call_id}"] = call_id
        await together(
            self.phone.wait_for("CALL_ESTABLISHED"), self.bob.wait_for("CALL_ESTABLISHED")
        )

    async def refusing(self) -> None:
        """Wait until a click is refused."""
        before = len(self.clicks.refused)
        await until(lambda: len(self.clicks.refused) > before, "a refused click", 30)

    async def ready(self) -> dict[str, Any]:
        """What /readyz says, with its status."""
        answer = await self.tenant.api.http.get("/readyz", timeout=SOON)
        return {"status": answer.status_code, **answer.json()}

    async def is_ready(self) -> bool:
        """Does /readyz say that all is well?"""
        return bool((await self.ready())["status"] == 200)

    async def is_not_ready(self) -> bool:
        """Does /readyz say that the database is not well?"""
        ready = await self.ready()
        return bool(ready["status"] == 503 and ready["checks"]["database"] != "ok")

    async def close(self) -> None:
        """No more calls; those that there are end by themselves."""
        await self.clicks.stop()
        self.calling.program.send(signal.SIGUSR1)  # SIPp ends after its last call
        await self.calling.program.ended(30)

    async def end(self) -> list[dict[str, Any]]:
        """All that has to be true in the end; gives the records."""
        placed = set(self.clicks.placed.values())
        assert self.clicks.odd == [], self.clicks.odd
        first = self.sockets[0]

        def over() -> bool:
            begun = {seen.call_id for seen in first.named("CHANNEL_CREATE")} | placed
            return begun <= {seen.call_id for seen in first.named("CALL_ENDED")}

        await until(over, "the end of every call, told to who was connected all the time", CATCH_UP)
        records = await truthful(self.stage, self.tenant, len(first.named("CALL_ENDED")))
        await self._all_were_told()
        ids = [one["call_id"] for one in records]
        assert placed <= set(ids)
        called = {one["callee"]["number"] for one in records if one["direction"] == "from_ab"}
        assert not called & set(self.clicks.refused), "a refused click became a call"
        return records

    async def _all_were_told(self) -> None:
        log = (await self.v1("GET", "/v1/events?after=0&limit=1000")).json()["events"]
        while more := (
            await self.v1("GET", f"/v1/events?after={log[-1]['seq']}&limit=1000")
        ).json()["events"]:
            log += more
        seqs, stream, hook = [each["seq"] for each in log], self.stream.events, self.receiver
        assert seqs == list(range(1, len(log) + 1))
        last = seqs[-1]
        await stream.wait(lambda event: event["seq"] >= last, "the end by a stream", CATCH_UP)
        await until(lambda: posted(hook) >= {*seqs}, "all webhooks", CATCH_UP)
        for socket in self.sockets:
            await socket.events.wait(lambda seen: seen.seq >= last, "the end by socket", CATCH_UP)
            assert numbers(socket.events.all)[:last] == seqs
        assert [event["seq"] for event in stream.all][:last] == seqs

    async def recordings(self, records: list[dict[str, Any]]) -> None:
        """Every call in which people talked has its recording."""
        talked = {one["call_id"] for one in records if one["billing_seconds"] > 0}
        first = self.sockets[0]

        def made() -> bool:
            return talked <= {seen.call_id for seen in first.named("RECORDING_READY")}

        await until(made, "all recordings", CATCH_UP)

    async def hears_all_of_alice(self, records: list[dict[str, Any]]) -> None:
        """Her calls were recorded whole, both sides."""
        for one in records:
            if one["callee"].get("username") != "bob":
                continue
            url = (await self.tenant.api.play_recording(one["recording"])).json()["media"]
            sound = Sound((await self.tenant.api.http.get(url)).content)
            assert abs(sound.seconds - one["billing_seconds"]) < 2.5, (sound.seconds, one)
            assert min(sound.share(0, 500), sound.share(1, 900)) > 0.9


def posted(receiver: Receiver) -> set[int]:
    """The numbers of all events that came as webhooks."""
    return {event["seq"] for event in receiver.events}
