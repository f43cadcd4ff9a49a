"""Sample events go into the log and onto the bus, and nowhere else."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from calls.replay import NODE
from db.making import KEY, office
from trunkline.bus.local import LocalBus
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node
from trunkline.events.stored import StoredEvent
from trunkline.store.sqlite import open_database
from trunkline.work.deliver.trigger_event import TriggerEvent
from trunkline.work.refused import Refused

AT = 1_800_000_000_000_000


async def test_a_sample_is_stored_and_told_and_no_more(tmp_path: Path) -> None:
    account = office(tmp_path / "trunkline.db")[0].account_id
    db, bus, told = (
        open_database(tmp_path / "trunkline.db", KEY),
        LocalBus(),
        list[StoredEvent](),
    )
    bus.listen(told.extend)
    clock = itertools.count(AT).__next__
    trigger = TriggerEvent(db.events, bus, Node("trunkline", "tl1"), clock, MessageIds(clock))

    stored = await trigger(account, "call")
    [again] = await trigger(account, "DEVICE_ONLINE", "test-1")

    assert [*stored, again] == told == (await db.events.after(account, 0, 100))
    assert [event.seq for event in told] == list(range(1, 16))
    assert b'"Test":true' in again.body
    page = await db.calls.page(account, 0, 2 * AT, 10, 1)
    assert (
        page.total,
        (await db.calls.open_calls(NODE.id)),
        (await db.recordings.waiting()),
    ) == (
        0,
        [],
        0,
    )
    for words, code in (
        ((account, "NEVER"), "BODY_INVALID"),
        ((account, "call", "c" * 32), "BODY_INVALID"),
        (("f" * 32, "call"), "NOT_FOUND"),
    ):
        with pytest.raises(Refused) as refused:
            await trigger(*words)
        assert refused.value.code == code
    await db.close()
