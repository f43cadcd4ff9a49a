"""Who gives wrong SIP passwords is an event of the device, and a line in the log for each address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from trunkline.engine.port import EndpointChanged, LoginFailed
from trunkline.events.message_ids import MessageIds
from trunkline.events.stored import StoredEvent
from trunkline.work.failed_logins import FailedLogins
from trunkline.work.follow.follow_endpoints import FollowEndpoints
from trunkline.work.follow.follow_logins import FollowLogins
from work.desk import SECOND, Desk

AT = 1_700_000_000 * SECOND


class Following:
    """The verb over a desk's database, and a clock that a test sets."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.seconds = desk, 0.0
        self.published: list[StoredEvent] = []
        self.logins = FailedLogins(lambda: self.seconds)
        ids = MessageIds(lambda: AT)
        self.follow = FollowLogins(
            desk.database, self, ids, self.logins, lambda: AT, lambda: self.seconds
        )
        self.endpoints = FollowEndpoints(desk.database, self, ids, self.read_anew)

    def publish(self, events: Any) -> None:
        self.published += events

    async def read_anew(self) -> None: ...

    def listen(self, listener: Any) -> None: ...

    def told(self) -> list[tuple[str, Any, int]]:
        bodies = [msgspec.json.decode(event.body) for event in self.published]
        return [(body["Device"], body.get("Address"), body["Count"]) for body in bodies]


@pytest.fixture
async def following(tmp_path: Path) -> AsyncIterator[Following]:
    desk = Desk(tmp_path / "t.db")
    yield Following(desk)
    await desk.database.close()


async def test_a_flood_is_one_event_and_then_one_a_minute(following: Following) -> None:
    for _ in range(30):
        await following.follow.hear(LoginFailed(AT, "192.0.2.7", "an1", 308))
    following.seconds = 61
    await following.follow.tell_held()
    assert following.told() == [("an1", "192.0.2.7", 308), ("an1", "192.0.2.7", 29 * 308)]
    assert [event.name for event in following.published] == ["AUTH_FAILED"] * 2
    assert following.logins.counts["sip"] == 30 * 308


async def test_ten_thousand_addresses_are_few_events(following: Following) -> None:
    for n in range(10_000):
        address = f"10.{n % 256}.{n // 256}.1"
        await following.follow.hear(LoginFailed(AT, address, "an1", 1))
    assert len(following.published) == 60
    following.seconds = 61
    await following.follow.tell_held()
    told = following.told()
    assert len(told) <= 60 + 60 + 1
    # The others are told together, and nobody is left out.
    assert [(device, address) for device, address, _ in told].count(("an1", None)) == 1
    assert sum(count for _, _, count in told) == 10_000


async def test_a_name_that_no_device_has_is_no_event(following: Following) -> None:
    with capture_logs() as lines:
        await following.follow.hear(LoginFailed(AT, "192.0.2.7", None, 2))
        await following.follow.hear(LoginFailed(AT, "192.0.2.8", "nobody", 1))
    assert following.published == []
    assert [line["address"] for line in lines] == ["192.0.2.7", "192.0.2.7", "192.0.2.8"]


async def test_the_event_says_whether_the_device_is_online(following: Following) -> None:
    await following.endpoints(EndpointChanged("an1", True, AT - 9 * SECOND))
    await following.follow.hear(LoginFailed(AT, "192.0.2.7", "an1", 1))
    state = msgspec.json.decode(following.published[-1].body)["State"]
    assert (state["online"], state["since"]) == (True, "2023-11-14T22:13:11.000Z")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8::0001%eth0", "2001:db8::1"),
        ('192.0.2.7", "by": "sip', "unknown"),
        ("192.0.2.7\n", "unknown"),
        ("\x1b[2J", "unknown"),
        ("", "unknown"),
    ],
)
def test_only_an_address_stands_where_one_should(given: str, shown: str) -> None:
    with capture_logs() as lines:
        FailedLogins(lambda: 0.0).failed("v1", given)
    assert [line["address"] for line in lines] == [shown]
