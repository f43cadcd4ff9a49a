"""What has expired is deleted: by the installation's limits, and by those of accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from store.agreeing import everything_agrees
from store.making import AT, KEY, announcement, office, record, started
from trunkline.directory.entries import AccountEntry
from trunkline.recordings.objects import ObjectStore
from trunkline.recordings.port import RecordingMissing
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.ports.database import Batch
from trunkline.store.ports.history import NEWEST, CallFilter
from trunkline.store.sqlite import open_database
from trunkline.work.manage import entries, retention
from trunkline.work.manage.accounts import create_account
from trunkline.work.upkeep.delete_expired import DAY, DeleteExpired, Expired, Kept

NOW = AT + 100 * DAY


class Store(ObjectStore):
    """In memory; what is ``stuck`` cannot be deleted."""

    stuck = ""

    async def delete(self, name: str) -> None:
        if name == self.stuck:
            raise OSError("the store is away")
        await super().delete(name)


class Office:
    """Two accounts with a recorded call on each of a hundred days."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "trunkline.db"
        self.accounts = {"acme": office(self.path)[0].account_id}
        self.accounts["other"] = self.change(create_account, "other").account_id
        self.db: Any = open_database(self.path, KEY)
        self.store = Store(MemoryStore())

    def change(self, work: Any, *given: Any) -> Any:
        with ManagedDirectory(self.path, KEY).transaction() as directory:
            return work(directory, *given)

    def keep(self, name: str, **wanted: str) -> None:
        self.change(retention.keep, self.account(name), wanted)

    def account(self, name: str) -> AccountEntry:
        found: AccountEntry = self.change(entries.find, AccountEntry, name)
        return found

    async def fill(self) -> None:
        file = self.folder / "one.mp3"
        file.write_bytes(b"mp3")
        for name, account_id in self.accounts.items():
            for n in range(100):
                at, call_id = AT + n * DAY, f"{name}{n}"
                recording = f"call_recording_{call_id}.mp3"
                await self.store.put(recording, file)
                call = record(call_id, account_id, at, recording=recording)
                told = [announcement(account_id, 0, at, call_id=call_id)]
                facts = [started(call_id, account_id, at)]
                await self.db.calls.commit(Batch(finished=[call], facts=facts, announcements=told))

    def verb(self, **kept: int) -> DeleteExpired:
        spool = self.folder / "spool"
        return DeleteExpired(
            self.db.retention, self.store, spool, Kept(**kept), lambda: NOW, rest=0
        )

    async def left(self, name: str, **wanted: Any) -> int:
        found = await self.db.history.find(self.accounts[name], CallFilter(**wanted), NEWEST, 1000)
        return len(found.rows)


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.fill()
    yield made
    everything_agrees(made.path)
    await made.db.close()


async def test_by_default_calls_and_recordings_are_kept(busy: Office) -> None:
    done = await busy.verb()()
    assert {each.kind for each in done} == {"events", "facts"}
    assert await busy.left("acme", has_recording=True) == 100


async def test_an_account_goes_before_the_installation(busy: Office) -> None:
    busy.keep("acme", calls="10", recordings="5", events="3")
    busy.keep("other", calls="forever", events="forever")
    due = await busy.verb(calls=20, recordings=15, events=7).due()
    told: list[Expired] = []
    done = await busy.verb(calls=20, recordings=15, events=7)(told.append)
    expected = [
        Expired("acme", "recordings", 95),
        Expired("acme", "calls", 90),
        Expired("acme", "events", 97),
        Expired("other", "recordings", 85),
    ]
    # the facts of calls that went are no more, when it is their turn
    assert due == [*expected, Expired(None, "facts", 138)]
    assert done == [*expected, Expired(None, "facts", 69), Expired(None, "files", 180)]
    assert set(expected) <= set(told)
    assert await busy.left("acme") == 10
    assert await busy.left("acme", has_recording=True) == 5
    assert await busy.left("other") == 100
    assert await busy.left("other", has_recording=True) == 15
    assert await busy.verb(calls=20, recordings=15, events=7)() == []


async def test_on_hold_nothing_goes(busy: Office) -> None:
    busy.change(retention.hold, busy.account("acme"), "case 7", AT)
    done = await busy.verb(calls=1, events=1)()
    assert {each.account for each in done} == {"other", None}
    assert await busy.left("acme", has_recording=True) == 100


async def test_what_the_store_refuses_is_tried_again(busy: Office) -> None:
    busy.keep("acme", recordings="98")
    busy.store.stuck = "call_recording_acme0.mp3"
    assert Expired(None, "files", 1) in await busy.verb()()
    assert await busy.db.recordings.any_account(busy.store.stuck) is None
    assert await busy.store.size(busy.store.stuck) == 3
    stuck, busy.store.stuck = busy.store.stuck, ""
    assert await busy.verb()() == [Expired(None, "files", 1)]
    with pytest.raises(RecordingMissing):
        await busy.store.size(stuck)


async def test_deleted_music_goes_once_nobody_can_hear_it(tmp_path: Path) -> None:
    made, left = Office(tmp_path), iter([1, 0])
    verb = DeleteExpired(
        *(made.db.retention, made.store, tmp_path / "spool", Kept(), lambda: NOW),
        rest=0,
        tidy_files=lambda: next(left),
    )
    assert Expired(None, "music", 1) in await verb()
    assert all(each.kind != "music" for each in await verb())
    await made.db.close()
