"""What every database promises (``store/ports/database.py``), on each implementation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edges.stored import everything_stored
from store.making import AT, KEY, announcement, ended, office, record, requested, started
from trunkline.calls.cel import LogPosition
from trunkline.directory.api_keys import key_hash
from trunkline.history.row import shown
from trunkline.history.sums import DAY
from trunkline.routing.dialling import Rights
from trunkline.store import tables
from trunkline.store.location import Location
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.opening import core_engine, open_database
from trunkline.store.ports.apps import (
    AlreadyAnswered,
    ApiKey,
    Claimed,
    KeyReused,
    TokenOwner,
    UnderWay,
)
from trunkline.store.ports.database import Batch, Database, OpenCall
from trunkline.store.postgres.database import PostgresDatabase
from trunkline.work.manage import entries
from trunkline.work.manage import keys as manage_keys
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.apps import create_app
from trunkline.work.manage.devices import create_device, ha1
from trunkline.work.manage.numbers import create_number
from trunkline.work.manage.trunks import create_trunk
from trunkline.work.manage.users import create_user

Opened = tuple[Any, Location]


@pytest.fixture(params=["sqlite", "postgresql"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    place: Location = tmp_path / "trunkline.db"
    if request.param == "postgresql":
        place = request.getfixturevalue("postgres_url")
    database = open_database(place, KEY)
    yield database, place
    await database.close()


@pytest.fixture
def database(opened: Opened) -> Database:
    return opened[0]


@pytest.fixture
def change(opened: Opened) -> Callable[[Callable[..., Any]], Any]:
    """Run a change of the directory, as another process would."""

    def run(work: Callable[..., Any]) -> Any:
        with ManagedDirectory(opened[1], KEY).transaction() as directory:
            return work(directory)

    return run


@pytest.fixture
def account_id(opened: Opened) -> str:
    return office(opened[1])[0].account_id


# ---- The directory --------------------------------------------------------------------------------


async def test_an_app_is_read_with_its_secret(database, change):
    account = change(lambda d: create_account(d, "acme", timezone="Asia/Ho_Chi_Minh"))
    entry, secret = change(
        lambda d: create_app(d, account, "crm", allowed_addresses=["10.0.0.1", "10.1.0.0/16"])
    )
    app = await database.directory.app(entry.app_id)
    assert app is not None
    assert app.secret == secret
    assert len(secret) == 64
    assert app.allowed_addresses == ("10.0.0.1", "10.1.0.0/16")
    assert (app.account_id, app.timezone) == (account.account_id, "Asia/Ho_Chi_Minh")
    assert app.legacy_hashes is True
    assert secret not in repr(app)
    assert (await database.directory.timezone(account.account_id)) == "Asia/Ho_Chi_Minh"
    assert (await database.directory.app("0" * 32)) is None


async def test_a_disabled_app_or_account_is_none(database, change, account_id):
    account = change(lambda d: entries.find(d, entries.AccountEntry, account_id))
    entry, _ = change(lambda d: create_app(d, account))
    for kind, thing in ((entries.AppEntry, entry), (entries.AccountEntry, account)):
        change(lambda d, k=kind, t=thing: entries.switch(d, k, t, False))
        assert (await database.directory.app(entry.app_id)) is None
        change(lambda d, k=kind, t=thing: entries.switch(d, k, t, True))
        assert (await database.directory.app(entry.app_id)) is not None


async def test_a_device_is_read_with_all_that_its_call_needs(database, change):
    account = change(
        lambda d: create_account(d, "acme", caller_id="028", allow=["84"], deny=["8490"])
    )
    user = change(lambda d: create_user(d, account, "an", name="An", extension="101"))
    entry, _ = change(
        lambda d: create_device(
            d, account, user, "an1", realm="trunkline", password="pw", allow_weak_password=True
        )
    )
    device = await database.directory.device(account.account_id, "an1")
    assert device is not None
    assert device.ha1 == ha1("an1", "trunkline", "pw")
    assert (device.id, device.username, device.extension) == (entry.device_id, "an", "101")
    assert (device.caller_id, device.record) == ("028", True)
    assert device.rights == Rights("^(84)", "^(8490)", ())
    far = change(lambda d: create_trunk(d, account, "far", "10.0.0.1:5060", priority=20))
    near = change(lambda d: create_trunk(d, account, "near", "10.0.0.2:5062", priority=5))
    device = await database.directory.device(account.account_id, "an1")
    assert device is not None
    assert [way.trunk for way in device.rights.routes] == [f"trunk-{near.trunk_id}"]
    change(lambda d: entries.switch(d, entries.TrunkEntry, near, False))
    device = await database.directory.device(account.account_id, "an1")
    assert device is not None
    assert [way.trunk for way in device.rights.routes] == [f"trunk-{far.trunk_id}"]
    assert [line.endpoint for line in (await database.directory.trunks())] == [
        f"trunk-{far.trunk_id}"
    ]


async def test_another_accounts_device_is_none(database, change, account_id):
    other = change(lambda d: create_account(d, "other"))
    assert (await database.directory.device(other.account_id, "an1")) is None
    assert (await database.directory.device(account_id, "an1")) is not None


async def test_who_is_behind_an_extension_and_a_number(database, change, account_id):
    account = change(lambda d: entries.find(d, entries.AccountEntry, "acme"))
    user = change(lambda d: entries.find(d, entries.UserEntry, "an"))
    change(lambda d: create_device(d, account, user, "a-later-one", realm="r"))
    change(lambda d: create_number(d, account, "+842873019555", user.user_id))
    behind = await database.directory.extension(account_id, "101")
    assert behind is not None
    assert behind.sip_users == ("an1", "a-later-one")
    assert (await database.directory.did(account_id, "842873019555")) == behind
    assert (await database.directory.did(account_id, "+842873019555")) == behind
    assert (await database.directory.user_owner(user.user_id)) == behind
    assert (await database.directory.extension(account_id, "102")) is None
    assert (await database.directory.did(account_id, "1")) is None


async def test_whose_an_endpoint_is(database, change, account_id):
    account = change(lambda d: entries.find(d, entries.AccountEntry, "acme"))
    trunk = change(lambda d: create_trunk(d, account, "viettel", "sip.example.com"))
    device = await database.directory.endpoint_owner("an1")
    assert device is not None
    assert (device.kind, device.account_id, device.username) == ("device", account_id, "an")
    line = await database.directory.endpoint_owner(f"trunk-{trunk.trunk_id}")
    assert line is not None
    assert (line.kind, line.account_id, line.display_name) == ("trunk", account_id, "viettel")
    assert line.trunk_id == trunk.trunk_id
    assert (await database.directory.endpoint_owner("nobody")) is None
    assert (await database.directory.endpoint_owner("trunk-nobody")) is None


async def test_a_trunks_password_is_plain_only_when_read(database, change, opened):
    account = change(lambda d: create_account(d, "acme"))
    change(
        lambda d: create_trunk(
            d,
            account,
            "viettel",
            "10.0.0.1:5070",
            auth_user="u",
            auth_password="hush-hush",
            register=True,
            match=["10.0.0.0/24", "10.0.1.1"],
        )
    )
    (line,) = await database.directory.trunks()
    assert (line.auth_user, line.auth_password, line.register) == ("u", "hush-hush", True)
    assert (line.host, line.port, line.match) == ("10.0.0.1", 5070, ("10.0.0.0/24", "10.0.1.1"))
    assert "hush" not in repr(line)


async def test_an_account_takes_its_statistics_along(database, opened, change, account_id):
    await database.calls.commit(Batch(finished=[record("c1", account_id)]))
    window = [AT // DAY * DAY, AT // DAY * DAY + DAY]
    assert (await database.statistics.summed(account_id, "none", window, 9)).totals.calls == 1
    engine = core_engine(opened[1])
    with engine.begin() as connection:  # as retention does
        connection.execute(tables.calls.delete())
    engine.dispose()
    account = change(lambda d: entries.find(d, entries.AccountEntry, account_id))
    change(lambda d: entries.delete(d, entries.AccountEntry, account))
    assert (await database.statistics.summed(account_id, "none", window, 9)).totals.calls == 0


# ---- Calls -----------------------------------------------------------------------------------------


async def test_a_batch_is_written_whole(database, account_id):
    facts = [started("c1", account_id), ended("c1")]
    finished = record("c1", account_id, recording="call_recording_c1.mp3")
    events = await database.calls.commit(
        Batch(
            facts=facts,
            announcements=[announcement(account_id, 1), announcement(account_id, 2)],
            finished=[finished],
            node_id="n",
            position=LogPosition(7, 100),
        )
    )
    assert [event.seq for event in events] == [1, 2]
    assert msgspec.json.decode(events[1].body) == {
        "Event-Name": "CHANNEL_CREATE",
        "n": 2,
        "Event-Seq": 2,
    }
    assert (await database.events.after(account_id, 0, 10)) == events
    assert (await database.calls.facts("c1")) == facts
    assert (await database.calls.position("n")) == LogPosition(7, 100)
    page = await database.calls.page(account_id, AT, AT + 1, 20, 1)
    assert (page.total, list(page.rows)) == (1, [shown(finished)])
    kept = await database.recordings.by_name(account_id, "call_recording_c1.mp3")
    assert kept is not None
    assert (kept.id, kept.state, kept.call_id, kept.created_at) == (
        "c1",
        "pending",
        "c1",
        finished.ended_at,
    )


async def test_a_batch_that_cannot_be_written_leaves_nothing(database, account_id):
    broken = announcement(account_id, at="not a time")  # type: ignore[arg-type]
    batch = Batch(
        facts=[started("c1", account_id)],
        opened=[("c1", account_id, AT)],
        finished=[record("c1", account_id)],
        announcements=[announcement(account_id), msgspec.structs.replace(broken, subject=None)],
        node_id="n",
        position=LogPosition(7, 100),
    )
    results = await asyncio.gather(
        database.calls.commit(Batch(facts=[started("c0", account_id)])),
        database.calls.commit(batch),
        database.calls.commit(Batch(facts=[started("c2", account_id)])),
        return_exceptions=True,
    )
    assert isinstance(results[1], Exception)
    assert results[0] == results[2] == []
    assert (await database.calls.facts("c1")) == []
    assert (await database.calls.open_calls("n")) == []
    assert (await database.calls.position("n")) is None
    assert (await database.events.bounds(account_id)) == (1, 0)
    assert (await database.calls.page(account_id, 0, AT * 2, 20, 1)).total == 0
    assert len(await database.calls.facts("c0")) == len(await database.calls.facts("c2")) == 1


async def test_a_record_has_the_clients_reference_where_it_gave_one(database, account_id):
    with_one, without = (
        record("c2", account_id, AT + 1, client_ref="order-7"), record("c1", account_id),
    )  # fmt: skip
    await database.calls.commit(Batch(finished=[without, with_one]))
    page = await database.calls.page(account_id, AT, AT + 2, 20, 1)
    assert list(page.rows) == [shown(with_one), shown(without)]
    told = msgspec.to_builtins(page.rows)
    assert told[0] == {**told[1], "call_id": "c2", "clientRef": "order-7"}
    assert "clientRef" not in told[1]


async def test_a_replayed_call_stays_as_it_is(database, account_id):
    first = record("c1", account_id)
    await database.calls.commit(Batch(finished=[first]))
    again = record("c1", account_id, AT + 5, status_detail="BUSY", recording="call_recording_x.mp3")
    await database.calls.commit(Batch(finished=[again, first]))
    page = await database.calls.page(account_id, 0, AT * 2, 20, 1)
    assert (page.total, list(page.rows)) == (1, [shown(first)])
    assert (await database.recordings.waiting()) == 0


async def test_open_calls_come_back_with_their_facts(database, account_id):
    await database.calls.commit(
        Batch(
            opened=[("b", account_id, AT), ("a", account_id, AT + 1), ("gone", account_id, AT)],
            facts=[requested("a", account_id), requested("b", account_id)],
            node_id="n",
        )
    )
    await database.calls.commit(Batch(facts=[started("a", account_id)], closed=["gone"]))
    assert (await database.calls.open_calls("n")) == [
        OpenCall("b", account_id, (requested("b", account_id),)),
        OpenCall("a", account_id, (requested("a", account_id), started("a", account_id))),
    ]


async def test_each_node_has_its_live_calls_and_its_position(database, account_id):
    for n, node_id in enumerate(("one", "two")):
        await database.calls.commit(
            Batch(
                opened=[(f"{node_id}-{m}", account_id, AT + m) for m in (1, 2)],
                facts=[started(f"{node_id}-1", account_id)],
                node_id=node_id,
                position=LogPosition(7, n),
            )
        )
    await database.calls.commit(Batch(closed=["one-1"], node_id="one"))
    assert await _open(database, "one") == ["one-2"]
    assert await _open(database, "two") == ["two-1", "two-2"]
    assert await _open(database, "three") == []
    assert await database.calls.position("one") == LogPosition(7, 0)
    assert await database.calls.position("two") == LogPosition(7, 1)
    assert await database.calls.position("three") is None


async def test_live_calls_of_several_nodes_are_written_at_once(database, account_id):
    await asyncio.gather(
        *(
            database.calls.commit(
                Batch(opened=[(f"c{n}", account_id, AT + n)], node_id=f"n{n % 3}")
            )
            for n in range(30)
        )
    )
    for node in range(3):
        assert await _open(database, f"n{node}") == [f"c{n}" for n in range(node, 30, 3)]


async def test_what_is_no_nodes_is_inherited_once(database, account_id):
    await database.calls.commit(Batch(opened=[("c1", account_id, AT)], position=LogPosition(7, 1)))
    await database.calls.inherit("one")
    assert await _open(database, "one") == ["c1"]
    assert await database.calls.position("one") == LogPosition(7, 1)
    assert await database.calls.position("") is None
    await database.calls.inherit("one")
    assert await _open(database, "one") == ["c1"]
    assert await database.calls.position("one") == LogPosition(7, 1)


async def test_a_position_of_ones_own_is_not_given_up_for_an_inherited_one(database):
    for node_id in ("one", ""):
        await database.calls.commit(Batch(node_id=node_id, position=LogPosition(7, len(node_id))))
    await database.calls.inherit("one")
    assert await database.calls.position("one") == LogPosition(7, 3)
    assert await database.calls.position("") is None


async def test_what_another_node_has_left_is_inherited_with_a_file_alone(database, account_id):
    await database.calls.commit(
        Batch(opened=[("c1", account_id, AT)], node_id="one", position=LogPosition(7, 1))
    )
    await database.calls.inherit("two")
    may_be_shared = isinstance(database, PostgresDatabase)
    assert await _open(database, "one") == (["c1"] if may_be_shared else [])
    assert await _open(database, "two") == ([] if may_be_shared else ["c1"])
    assert await database.calls.position("two") is None


async def test_nodes_without_a_server_are_those_with_live_calls(database, account_id):
    for node_id in ("", "me", "one", "two"):
        opened = [(f"{node_id}-{n}", account_id, AT) for n in (1, 2)]
        await database.calls.commit(Batch(opened=opened, node_id=node_id))
    assert sorted(await database.calls.nodes_away("me")) == ["one", "two"]
    await database.calls.commit(Batch(closed=["two-1", "two-2"], node_id="two"))
    assert await database.calls.nodes_away("me") == ["one"]


async def _open(database, node_id):
    return [call.call_id for call in await database.calls.open_calls(node_id)]


async def test_a_call_is_known_once_the_engine_spoke_of_it(database, account_id):
    await database.calls.commit(Batch(facts=[requested("c1", account_id)]))
    assert not (await database.calls.known("c1"))
    await database.calls.commit(Batch(facts=[started("c1", account_id)]))
    await database.calls.commit(Batch(finished=[record("c2", account_id)]))
    assert await database.calls.known("c1")
    assert await database.calls.known("c2")
    assert not (await database.calls.known("c3"))


async def test_neighbouring_windows_share_no_call(database, account_id):
    await database.calls.commit(
        Batch(finished=[record("c1", account_id, AT), record("c2", account_id, AT)])
    )
    before = await database.calls.page(account_id, AT - 60, AT, 20, 1)
    after = await database.calls.page(account_id, AT, AT + 60, 20, 1)
    assert before.total == 0
    assert [row.call_id for row in after.rows] == ["c2", "c1"]


# ---- Events ----------------------------------------------------------------------------------------


async def test_numbers_have_no_gap_under_concurrency(database, change, account_id):
    other = change(lambda d: create_account(d, "other")).account_id
    told: list[tuple[str, int]] = []

    async def tell(n: int) -> None:
        events = await database.events.append(
            [announcement(account_id, n), announcement(other, n), announcement(account_id, n)]
        )
        told.extend((event.account_id, event.seq) for event in events)

    await asyncio.gather(*(tell(n) for n in range(200)))
    assert [seq for owner, seq in told if owner == account_id] == list(range(1, 401))
    assert [seq for owner, seq in told if owner == other] == list(range(1, 201))
    assert [event.seq for event in (await database.events.after(account_id, 398, 10))] == [399, 400]
    assert (await database.events.bounds(account_id)) == (1, 400)


async def test_the_events_of_a_call_are_read_by_themselves(database, change, account_id, opened):
    other = change(lambda d: create_account(d, "other")).account_id
    for n in range(3):
        await database.events.append(
            [announcement(account_id, n, call_id=call_id) for call_id in ("a", "b", None)]
            + [announcement(other, n, call_id="a")]
        )
    assert [event.seq for event in (await database.events.of_call(account_id, "a", 0, 10))] == [
        1,
        4,
        7,
    ]
    assert [event.seq for event in (await database.events.of_call(account_id, "b", 2, 1))] == [5]
    assert (await database.events.of_call(account_id, "c", 0, 10)) == []
    assert (await database.events.of_call(account_id, "a", 0, 1)) == (
        await database.events.after(account_id, 0, 1)
    )


async def test_an_account_that_is_no_more_stops_nothing(database, account_id):
    events = await database.events.append([announcement("0" * 32), announcement(account_id)])
    assert [event.seq for event in events] == [1]
    assert (await database.events.bounds("0" * 32)) == (1, 0)


async def test_a_device_state_is_told_once(database, change, account_id):
    device = change(lambda d: entries.find(d, entries.DeviceEntry, "an1"))
    tell = announcement(account_id)
    assert await database.events.device_state(device.device_id, False, tell) is None
    event = await database.events.device_state(device.device_id, True, tell)
    assert event is not None
    assert event.seq == 1
    assert await database.events.device_state(device.device_id, True, tell) is None
    assert dict(await database.events.device_states()) == {device.sip_user: True}
    assert await database.events.device_state(device.device_id, False, tell) is not None
    assert dict(await database.events.device_states()) == {device.sip_user: False}
    assert await database.events.device_state("0" * 32, True, tell) is None
    change(lambda d: entries.delete(d, entries.DeviceEntry, device))
    assert dict(await database.events.device_states()) == {}


async def test_a_trunk_state_is_told_once_and_the_first_always(database, change, account_id):
    account = change(lambda d: entries.find(d, entries.AccountEntry, account_id))
    one, other = (
        change(lambda d, n=name: create_trunk(d, account, n, "10.0.0.1:5060")).trunk_id
        for name in ("one", "other")
    )
    tell = announcement(account_id)
    assert await database.events.trunk_state(one, False, tell) is not None
    assert await database.events.trunk_state(one, False, tell) is None
    assert await database.events.trunk_state(other, True, tell) is not None
    event = await database.events.trunk_state(one, True, tell)
    assert event is not None
    assert event.seq == 3
    assert await database.events.trunk_state("0" * 32, True, tell) is None
    assert dict(await database.events.trunk_states()) == {one: True, other: True}
    assert change(lambda d: entries.find(d, entries.TrunkEntry, one)).up is True
    change(
        lambda d: entries.delete(d, entries.TrunkEntry, entries.find(d, entries.TrunkEntry, one))
    )
    assert dict(await database.events.trunk_states()) == {other: True}


# ---- Requests and tokens -----------------------------------------------------------------------------


async def test_a_key_is_claimed_once(database):
    async def claim(fingerprint: str = "f", now: int = 0, call_id: str = "c1") -> Any:
        return await database.requests.claim("app", "key", fingerprint, call_id, now, 100)

    claims = await asyncio.gather(*(claim(call_id=f"c{n}") for n in range(20)))
    assert claims.count(Claimed()) == 1
    winner = UnderWay(f"c{claims.index(Claimed())}")
    assert set(map(type, claims)) == {Claimed, UnderWay}
    assert {each for each in claims if each != Claimed()} == {winner} == {await claim()}
    assert await claim("other") == KeyReused()
    await database.requests.answer("app", "key", 200, b"{}")
    await database.requests.release("app", "key")
    assert await claim() == AlreadyAnswered(200, b"{}")
    assert await database.requests.claim("app2", "key", "f", "c", 0, 100) == Claimed()
    assert await claim(now=100, call_id="c9") == Claimed()
    assert await claim() == UnderWay("c9")
    await database.requests.release("app", "key")
    assert await claim() == Claimed()


async def test_a_token_ends_with_its_time_and_with_its_app(database, change, account_id):
    account = change(lambda d: entries.find(d, entries.AccountEntry, account_id))
    app, _ = change(lambda d: create_app(d, account))
    await database.tokens.add("hash", app.app_id, account_id, 1000)
    assert (await database.tokens.owner("hash", 999)) == TokenOwner(app.app_id, account_id)
    assert (await database.tokens.owner("hash", 1000)) is None
    assert (await database.tokens.owner("another", 1)) is None
    change(lambda d: entries.switch(d, entries.AppEntry, app, False))
    assert (await database.tokens.owner("hash", 999)) is None


# ---- Keys --------------------------------------------------------------------------------------------


def _key(change: Callable[..., Any], account_id: str, **more: Any) -> tuple[Any, str]:
    def make(d: Any) -> Any:
        account = entries.find(d, entries.AccountEntry, account_id)
        return manage_keys.create_key(d, account, "crm", ["keys:read", "events:read"], **more)

    return change(make)


async def test_a_key_is_found_by_its_hash(database, change, account_id, opened):
    entry, key = _key(
        change, account_id, expires_at=1000, allowed_addresses=["10.0.0.1", "10.1.0.0/16"]
    )
    assert (await database.keys.by_hash(key_hash(key), 999)) == ApiKey(
        id=entry.key_id,
        account_id=account_id,
        name="crm",
        scopes=frozenset({"events:read", "keys:read"}),
        allowed_addresses=("10.0.0.1", "10.1.0.0/16"),
        prefix=key[:12],
        expires_at=1000,
    )
    assert (await database.keys.by_hash(key_hash(key), 1000)) is None
    assert (await database.keys.by_hash(key_hash(key + "x"), 1)) is None
    assert (await database.keys.by_hash(key, 1)) is None
    assert (
        (await database.keys.valid(entry.key_id, 999)),
        (await database.keys.valid(entry.key_id, 1000)),
    ) == (
        True,
        False,
    )
    assert key[12:].encode() not in everything_stored(opened[1])


async def test_a_key_ends_with_its_revoking_and_with_its_account(database, change, account_id):
    entry, key = _key(change, account_id)
    account = change(lambda d: entries.find(d, entries.AccountEntry, account_id))

    async def good() -> tuple[bool, bool]:
        found = (await database.keys.by_hash(key_hash(key), 0)) is not None
        return found, (await database.keys.valid(entry.key_id, 0))

    assert await good() == (True, True)
    change(lambda d: entries.switch(d, entries.AccountEntry, account, False))
    assert await good() == (False, False)
    change(lambda d: entries.switch(d, entries.AccountEntry, account, True))
    assert await good() == (True, True)
    change(lambda d: manage_keys.revoke_key(d, entry.prefix))
    assert await good() == (False, False)
    assert [row.enabled for row in (await database.keys.listed(account_id, (0, ""), 10))] == [False]
    change(lambda d: entries.delete(d, entries.AccountEntry, account))
    assert (await database.keys.listed(account_id, (0, ""), 10)) == []


async def test_keys_are_listed_in_their_order(database, change, account_id):
    other = change(lambda d: create_account(d, "other")).account_id
    _key(change, other)
    made = [_key(change, account_id)[0].key_id for _ in range(5)]
    first = await database.keys.listed(account_id, (0, ""), 2)
    rest = await database.keys.listed(account_id, (first[-1].created_at, first[-1].id), 10)
    assert [row.id for row in first + rest] == made
    assert {row.last_used_at for row in first + rest} == {None}
    await database.keys.used(made[0], 70)
    await database.keys.used(made[0], 60)
    await database.keys.used("0" * 32, 60)
    assert (await database.keys.listed(account_id, (0, ""), 1))[0].last_used_at == 70


# ---- Recordings --------------------------------------------------------------------------------------


@pytest.fixture
async def name(database, account_id) -> str:
    name = "call_recording_c1.mp3"
    await database.calls.commit(Batch(finished=[record("c1", account_id, recording=name)]))
    return name


async def test_a_recording_knows_the_reference_of_its_call(database, account_id, name):
    other = "call_recording_c2.mp3"
    batch = Batch(finished=[record("c2", account_id, recording=other, client_ref="crm-7")])
    await database.calls.commit(batch)
    found = [await database.recordings.any_account(each) for each in (name, other)]
    assert [recording.client_ref for recording in found] == [None, "crm-7"]
    claimed = await database.recordings.claim(other, "w0", 10, 20)
    assert (
        claimed.client_ref,
        (await database.recordings.expected(1 << 62, 9))[-1].client_ref,
    ) == (
        "crm-7",
        "crm-7",
    )


async def test_a_recording_is_claimed_by_one_worker(database, account_id, name):
    claims = await asyncio.gather(
        *(database.recordings.claim(name, f"w{n}", 10, 20) for n in range(5))
    )
    assert [claim.attempts for claim in claims if claim] == [1]
    assert await database.recordings.claim(name, "late", 20, 30) is not None
    assert await database.recordings.done(name, "w0", 5, 1.5, announcement(account_id)) is None
    event = await database.recordings.done(name, "late", 5, 1.5, announcement(account_id))
    assert event is not None
    assert event.seq == 1
    done = await database.recordings.any_account(name)
    assert done is not None
    assert (done.state, done.bytes, done.seconds, done.attempts) == ("ready", 5, 1.5, 2)
    assert await database.recordings.claim(name, "w0", 99, 100) is None
    assert (await database.recordings.waiting()) == 0
    assert (await database.recordings.of_raw("c1")) == [done]
    assert (await database.recordings.by_name("0" * 32, name)) is None


async def test_a_recording_can_be_given_back_or_up(database, account_id, name):
    assert (await database.recordings.waiting()) == 1
    ends = AT + 9_000_000
    assert (await database.recordings.expected(ends, 10)) == []
    assert [item.name for item in (await database.recordings.expected(ends + 1, 10))] == [name]
    assert await database.recordings.claim(name, "w0", 10, 20)
    await database.recordings.released(name, "w1", "not mine")
    assert await database.recordings.claim(name, "w1", 10, 20) is None
    await database.recordings.released(name, "w0", "disk full")
    assert await database.recordings.claim(name, "w1", 10, 20)
    assert await database.recordings.failed(name, "w0", "no", announcement(account_id)) is None
    assert await database.recordings.failed(name, "w1", "no", announcement(account_id))
    failed = await database.recordings.any_account(name)
    assert failed is not None
    assert failed.state == "failed"


@pytest.mark.parametrize(("lost", "left"), [(True, ""), (False, "call_recording_c1.mp3")])
async def test_a_call_whose_recording_failed_names_none(database, account_id, name, lost, left):
    assert await database.recordings.claim(name, "w", 10, 20)
    end = database.recordings.failed if lost else database.recordings.done
    told = ("no audio",) if lost else (5, 1.5)
    assert await end(name, "w", *told, announcement(account_id))
    page = await database.calls.page(account_id, 0, 2 * AT, 10, 1)
    assert (page.total, [row.recording for row in page.rows]) == (1, [left])


async def test_ping(database):
    await database.ping()
