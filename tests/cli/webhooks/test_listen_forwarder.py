"""The forwarder's own rules, on a hand-written receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from trunkline.cli.event_log.event_view import EventView, from_envelope
from trunkline.cli.webhooks.listen_forwarder import ATTEMPTS, Forwarded, Forwarder
from trunkline.delivery.webhook import Attempt

SECRET = "whsec_" + "QUJD" * 8


def event(
    seq: int, call_id: str | None = "test-1", type_: str = "CALL_ENDED", **data: int
) -> EventView:
    made = {
        "seq": seq, "type": type_, "category": "call", "subject": "s", "account_id": "a" * 32,
        "call_id": call_id, "time": "2026-11-23T15:00:00.123Z", "data": data,
    }  # fmt: skip
    return from_envelope(msgspec.json.encode(made))


class FakePost:
    """Refuses so many connections first; all attempts take turns with the others."""

    def __init__(self, refusals: int = 0) -> None:
        self.left, self.ids = refusals, list[str]()

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        await asyncio.sleep(0)
        self.ids.append(headers["webhook-id"])
        if self.left:
            self.left -= 1
            return Attempt(at=1, error="connecting failed: Connection refused")
        return Attempt(at=1, connect_ms=1.0, status=200)

    async def check(self, url: str) -> None: ...


async def forwarded(post: FakePost, *events: EventView) -> list[Forwarded]:
    told: list[Forwarded] = []
    url = "http://localhost/"
    async with Forwarder(post, url, SECRET, lambda: 1, told.append, pause=0.001) as forwarder:
        for view in events:
            await forwarder.take(view)
    assert forwarder.reached == max(view.seq for view in events)
    return told


async def test_a_connection_that_is_never_taken_is_given_up() -> None:
    first, second = await forwarded(FakePost(refusals=ATTEMPTS), event(1), event(2))

    assert (first.attempt.status, first.attempts) == (None, ATTEMPTS)
    assert (second.attempt.status, second.attempts) == (200, 1)


async def test_a_gap_has_an_id_of_its_own() -> None:
    post = FakePost()

    await forwarded(post, event(7, None, "GAP", **{"from": 3, "to": 7}), event(8))

    assert post.ids == [f"gap_{'a' * 32}_3_7", f"evt_{'a' * 32}_8"]


async def test_what_has_not_been_posted_is_gone_on_from() -> None:
    told: list[Forwarded] = []
    forwarder = Forwarder(FakePost(), "http://localhost/", SECRET, lambda: 1, told.append)
    for seq, call_id in ((5, "test-1"), (6, "test-2"), (7, "test-1")):
        await forwarder.take(event(seq, call_id))
    assert forwarder.reached == 4

    async with forwarder:
        pass
    assert forwarder.reached == 7
    assert [one.view.seq for one in told if one.view.call_id == "test-1"] == [5, 7]


async def test_who_cannot_be_told_ends_it() -> None:
    def closed(_: Forwarded) -> None:
        raise BrokenPipeError

    async def forward() -> None:
        forwarder = Forwarder(FakePost(), "http://localhost/", SECRET, lambda: 1, closed)
        async with asyncio.timeout(20), forwarder:
            while True:
                await forwarder.take(event(1))
                await asyncio.sleep(0)

    with pytest.raises(BrokenPipeError):
        await forward()
