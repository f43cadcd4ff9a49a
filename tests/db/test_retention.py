"""What is old is forgotten, and nothing else."""

from __future__ import annotations

from db.making import AT, KEY, announcement, office, requested, started
from trunkline.db.port import Batch, Claimed
from trunkline.db.sqlite import open_database
from trunkline.db.sqlite.retention import DAY


async def test_old_events_go_from_the_logs_beginning(tmp_path):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    database = open_database(path, KEY, event_days=2)
    old, young = AT - 3 * DAY, AT - DAY
    await database.events.append([announcement(account_id, n, old) for n in range(1200)])
    await database.events.append([announcement(account_id, 0, young)])
    await database.events.append([announcement(account_id, 0, old)])
    assert await database.prune(AT) == 1200
    assert database.events.bounds(account_id) == (1201, 1202)
    assert await database.prune(AT) == 0
    assert await database.prune(AT + 9 * DAY) == 2
    assert database.events.bounds(account_id) == (1203, 1202)
    (event,) = await database.events.append([announcement(account_id)])
    assert event.seq == 1203
    await database.close()


async def test_facts_of_live_calls_stay(tmp_path):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    database = open_database(path, KEY, journal_days=2)
    old = AT - 3 * DAY
    await database.calls.commit(
        Batch(
            facts=[started(f"over{n}", account_id, old) for n in range(1100)]
            + [requested("live", account_id, old), started("young", account_id, AT)],
            opened=[("live", account_id, old)],
        )
    )
    assert await database.prune(AT) == 1100
    assert database.calls.facts("over0") == []
    assert len(database.calls.facts("live")) == len(database.calls.facts("young")) == 1
    await database.close()


async def test_keys_and_tokens_that_ran_out_go(tmp_path):
    path = tmp_path / "trunkline.db"
    office(path)
    database = open_database(path, KEY)
    assert await database.requests.claim("app", "k1", "f", "c", 0, AT) == Claimed()
    assert await database.requests.claim("app", "k2", "f", "c", 0, AT + 1) == Claimed()
    await database.tokens.add("t", "app", "account", AT)
    assert await database.prune(AT) == 2
    await database.close()
