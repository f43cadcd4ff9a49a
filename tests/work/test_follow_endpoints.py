"""States of devices and trunks become numbered events, each change once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trunkline.directory.entries import DeviceEntry, TrunkEntry
from trunkline.engine.port import ContactCame, EndpointChanged, TrunkChanged
from trunkline.events.message_ids import MessageIds
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.work.follow.follow_endpoints import Change, FollowEndpoints
from trunkline.work.manage import entries
from work.desk import SECOND, Desk

AT = 1_700_000_000 * SECOND


class Following:
    """The verb over a desk's database, and what it published."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.published: list[StoredEvent] = []
        self.follow = FollowEndpoints(desk.database, self, MessageIds(lambda: AT), self.read_anew)
        self.read = 0
        with desk.directory() as directory:
            self.trunk = entries.find(directory, TrunkEntry, "carrier")
        self.endpoint = f"trunk-{self.trunk.trunk_id}"

    def publish(self, events: Any) -> None:
        self.published += events

    async def read_anew(self) -> None:
        self.read += 1

    def listen(self, listener: Any) -> None: ...

    async def hear(self, *changes: Change) -> list[tuple[str, str, int]]:
        """What was published of these: (name, subject, number)."""
        for change in changes:
            await self.follow(change)
        assert self.published == (
            await self.desk.database.events.after(self.desk.account.account_id, 0, 9)
        )
        return [(event.name, event.subject, event.seq) for event in self.published]


@pytest.fixture
async def following(tmp_path: Path) -> AsyncIterator[Following]:
    desk = Desk(tmp_path / "t.db")
    yield Following(desk)
    await desk.database.close()


async def test_each_change_of_a_device_is_one_event(following: Following) -> None:
    changes = [EndpointChanged("an1", online, AT) for online in (False, True, True, False)]
    told = await following.hear(*changes)
    assert told == [("DEVICE_ONLINE", "an1", 1), ("DEVICE_OFFLINE", "an1", 2)]


async def test_by_which_transport_a_device_came_is_kept_and_no_event(following: Following) -> None:
    came = [ContactCame("an1", secure, AT) for secure in (False, True, True, False)]
    assert await following.hear(*came, ContactCame("nobody", True, AT)) == []
    assert following.read == 2  # the engine has kept what was so before
    await following.hear(ContactCame("an1", True, AT))
    with following.desk.directory() as directory:
        assert entries.find(directory, DeviceEntry, "an1").secure


async def test_each_change_of_a_trunk_is_one_event_and_the_first_always(
    following: Following,
) -> None:
    down = TrunkChanged(following.endpoint, False, AT, "REGISTRATION_REJECTED")
    up = TrunkChanged(following.endpoint, True, AT + SECOND)
    told = await following.hear(down, down, up, up)
    assert told == [("TRUNK_DOWN", "carrier", 1), ("TRUNK_UP", "carrier", 2)]
    body = msgspec.json.decode(following.published[0].body)
    assert (body["Trunk"], body["Reason"]) == ("carrier", "REGISTRATION_REJECTED")
    assert body["State"]["up"] is False


async def test_what_belongs_to_nobody_is_told_to_nobody(following: Following) -> None:
    changes: list[Change] = [
        EndpointChanged(following.endpoint, True, AT),  # a trunk's come as TrunkChanged
        EndpointChanged("nobody", True, AT),
        TrunkChanged("trunk-" + "0" * 32, True, AT),
    ]
    assert await following.hear(*changes) == []


async def test_a_full_disk_delays_a_change_and_loses_none(
    following: Following, insistent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = following.desk.database.events
    store, failures = events.trunk_state, iter([True, True])

    async def fail_twice(*args: Any) -> Any:
        if next(failures, False):
            raise DatabaseUnavailable("the disk is full")
        return await store(*args)

    monkeypatch.setattr(events, "trunk_state", fail_twice)
    told = await following.hear(TrunkChanged(following.endpoint, True, AT))
    assert told == [("TRUNK_UP", "carrier", 1)]
