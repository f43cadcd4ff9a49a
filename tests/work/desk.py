"""A desk to place calls from: a real database, and an engine that writes down what it is asked."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from at_once import at_once
from calls.replay import NODE
from store.making import KEY
from trunkline.bus.local import LocalBus
from trunkline.engine.port import Channel, Originate
from trunkline.events.message_ids import MessageIds
from trunkline.routing.ports import legs
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.ports.database import App
from trunkline.store.sqlite import open_database
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.apps import create_app
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.trunks import create_trunk
from trunkline.work.manage.users import create_user
from trunkline.work.place.place_call import CallPlaced, CallSettings, CallWanted, PlaceCall
from trunkline.work.refused import Refused

PASSWORD = "s3cret-of-an1"
NUMBER = "02873019555"
SECOND = 1_000_000


class FakeEngine:
    """An engine that writes down what it is asked."""

    def __init__(self) -> None:
        self.up = True
        self.has_room = True
        self.states: dict[str, bool] = {"an1": True}
        self.asked: list[Originate] = []
        self.looked: list[str] = []
        self.fails: Exception | None = None
        self.living: list[str] = []
        self.gate: asyncio.Event | None = None
        self.reached = asyncio.Event()

    def online(self, endpoint: str) -> bool | None:
        return self.states.get(endpoint)

    async def look(self, endpoint: str) -> bool:
        self.looked.append(endpoint)
        if self.fails:
            raise self.fails
        return self.states.get(endpoint, False)

    async def originate(self, call: Originate) -> None:
        self.reached.set()
        if self.gate:
            await self.gate.wait()
        if self.fails:
            raise self.fails
        self.asked.append(call)
        self.living.append(call.call_id)

    async def hang_up(self, leg_id: str) -> None:
        self.living.remove(leg_id)

    async def channels(self) -> list[Channel]:
        return [Channel(each, False) for each in self.living]


class Desk:
    """An account with one device, and the verb over a real database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database: Any = open_database(path, KEY)
        with self.directory() as directory:
            self.account = create_account(directory, "acme", deny=["0900"])
            app, _ = create_app(directory, self.account)
            self.user = create_user(directory, self.account, "an", name="An", extension="101")
            create_device(directory, self.account, self.user, "an1", realm="r", password=PASSWORD)
            create_trunk(directory, self.account, "carrier", "127.0.0.1:5060")
        found = at_once(self.database.directory.app(app.app_id))
        assert found is not None
        self.app: App = found
        self.engine = FakeEngine()
        self.now = 1_700_000_000 * SECOND
        self.ids = (f"{n:032x}" for n in itertools.count(1))
        self.legs = legs(10_000, 20_000)
        self.begin()

    def directory(self) -> Any:
        return ManagedDirectory(self.path, KEY).transaction()

    def begin(self) -> None:
        """A new process."""
        self.calls = CallLog(
            self.database, LocalBus(), NODE, lambda: self.now, MessageIds(lambda: self.now)
        )
        at_once(self.calls.load())
        self.calls.caught_up.set()
        rules = CallSettings(30, "3/minute", self.legs)
        engine: Any = self.engine
        self.place = PlaceCall(
            self.database, engine, self.calls, rules, lambda: self.now, self.ids.__next__
        )

    async def click(self, number: str = NUMBER, **wanted: Any) -> CallPlaced:
        values = {"sip_user": "an1", "sip_password": PASSWORD, **wanted}
        return await self.place(self.app, CallWanted(number, **values))

    async def refusal(self, *arguments: Any, **wanted: Any) -> str:
        with pytest.raises(Refused) as refused:
            await self.click(*arguments, **wanted)
        return refused.value.code

    async def under_way(self, key: str | None) -> tuple[str, asyncio.Task[CallPlaced]]:
        """A call that the engine has not taken yet: its id, and the request that waits."""
        self.engine.gate, self.engine.reached = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(self.click(idempotency_key=key))
        await self.engine.reached.wait()
        (call_id,) = self.calls.live
        return call_id, task
