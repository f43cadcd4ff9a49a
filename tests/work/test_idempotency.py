"""One call for one wish: keys, double clicks, and processes that are killed amid it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from calls.replay import NODE
from trunkline.calls import facts as f
from trunkline.engine.port import EngineUnavailable, OriginateFailed
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.work.manage import manage_directory as manage
from trunkline.work.place import place_call
from whole.waiting import until
from work.desk import SECOND, Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path / "trunkline.db")
    yield made
    await made.database.close()


async def test_the_same_key_replays_the_first_answer(desk: Desk) -> None:
    first = await desk.click(idempotency_key="k")
    desk.begin()
    desk.now += 23 * 3600 * SECOND
    assert await desk.click(idempotency_key="k") == first
    assert len(desk.engine.asked) == 1
    desk.now += 2 * 3600 * SECOND
    assert await desk.click(idempotency_key="k") != first


async def test_a_key_under_another_wish_is_refused(desk: Desk) -> None:
    await desk.click(idempotency_key="k")
    assert await desk.refusal("02873019556", idempotency_key="k") == "IDEMPOTENCY_KEY_REUSED"
    assert await desk.refusal(client_ref="x", idempotency_key="k") == "IDEMPOTENCY_KEY_REUSED"


async def test_a_key_is_its_apps_own(desk: Desk) -> None:
    await desk.click(idempotency_key="k")
    with desk.directory() as directory:
        app, _ = manage.create_app(directory, desk.account, "second")
    desk.app = await desk.database.directory.app(app.app_id)
    await desk.click(idempotency_key="k")
    assert len(desk.engine.asked) == 2


async def test_a_second_request_while_the_first_is_under_way(desk: Desk) -> None:
    _, first = await desk.under_way("k")
    assert await desk.refusal(idempotency_key="k") == "IDEMPOTENCY_IN_PROGRESS"
    assert desk.engine.gate
    desk.engine.gate.set()
    answer = await first
    assert await desk.click(idempotency_key="k") == answer


async def test_a_final_refusal_is_the_keys_answer_too(desk: Desk) -> None:
    desk.engine.states["an1"] = False
    assert await desk.refusal(idempotency_key="k") == "DEVICE_OFFLINE"
    desk.engine.states["an1"] = True
    assert await desk.refusal(idempotency_key="k") == "DEVICE_OFFLINE"


async def test_a_refusal_that_passes_leaves_the_key_free(desk: Desk) -> None:
    desk.engine.fails = EngineUnavailable("x")
    assert await desk.refusal(idempotency_key="k") == "ENGINE_UNAVAILABLE"
    desk.engine.fails = None
    assert (await desk.click(idempotency_key="k")).status == 200


async def test_a_double_click_is_one_call(desk: Desk) -> None:
    first, second = await asyncio.gather(desk.click(), desk.click())
    desk.now += 2 * SECOND
    third = await desk.click(client_ref="other words")
    assert first == second == third
    assert len(desk.engine.asked) == 1
    desk.now += 2 * SECOND
    assert await desk.click() != first


async def test_two_numbers_at_once_are_two_calls(desk: Desk) -> None:
    await asyncio.gather(desk.click(), desk.click("02873019556"))
    assert len(desk.engine.asked) == 2


async def test_a_double_click_on_a_failing_call_fails_twice(desk: Desk) -> None:
    desk.engine.fails = OriginateFailed("x")
    desk.engine.gate = asyncio.Event()
    both = [asyncio.create_task(desk.refusal()) for _ in range(2)]
    await asyncio.sleep(0.01)
    desk.engine.gate.set()
    assert await asyncio.gather(*both) == ["DEVICE_OFFLINE"] * 2


# ---- A process that was killed amid it -------------------------------------------------------------


async def killed(desk: Desk, key: str | None) -> str:
    """The process dies before it answers; gives the call's id."""
    call_id, task = await desk.under_way(key)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    desk.engine.gate = None
    desk.begin()
    return call_id


@pytest.mark.parametrize("key", ["k", None])
async def test_killed_before_the_engine_heard_of_it(key: str | None, desk: Desk) -> None:
    call_id = await killed(desk, key)
    await desk.calls.settle(desk.engine.living.__contains__)
    answer = await desk.click(idempotency_key=key)
    (asked,) = desk.engine.asked
    assert asked.call_id != call_id
    assert asked.call_id.encode() in answer.body
    assert list(desk.calls.live) == [asked.call_id]


@pytest.mark.parametrize("key", ["k", None])
async def test_killed_after_the_log_told_of_it(key: str | None, desk: Desk) -> None:
    call_id = await killed(desk, key)
    began = f.LegStarted(
        call_id=call_id,
        at=desk.now,
        leg_id=call_id,
        account_id=desk.account.account_id,
        direction="outbound",
        endpoint="an1",
        endpoint_kind="device",
    )
    await desk.calls.record([began])
    answer = await desk.click(idempotency_key=key)
    assert (call_id.encode() in answer.body, desk.engine.asked) == (True, [])


@pytest.mark.parametrize("key", ["k", None])
async def test_killed_while_it_rings_and_the_log_is_behind(key: str | None, desk: Desk) -> None:
    call_id = await killed(desk, key)
    desk.engine.living.append(call_id)
    answer = await desk.click(idempotency_key=key)
    assert (call_id.encode() in answer.body, desk.engine.asked) == (True, [])


async def test_a_database_that_fails_after_the_call_went_out_rings_nothing_twice(desk, monkeypatch):
    real = desk.database.requests.answer

    async def failing(*arguments: Any) -> None:
        raise DatabaseUnavailable("disk full")

    monkeypatch.setattr(desk.database.requests, "answer", failing)
    first = await desk.click(idempotency_key="k")
    monkeypatch.setattr(desk.database.requests, "answer", real)
    again = await desk.click(idempotency_key="k")
    (asked,) = desk.engine.asked
    assert asked.call_id.encode() in first.body
    assert again == first


async def test_a_database_that_cannot_be_written_rings_nothing(desk, monkeypatch) -> None:
    async def failing(*arguments: Any) -> None:
        raise DatabaseUnavailable("disk full")

    monkeypatch.setattr(desk.database.calls, "commit_early", failing)
    assert await desk.refusal() == "ENGINE_UNAVAILABLE"
    assert (desk.engine.asked, desk.calls.live) == ([], {})


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("key", ["k", None])
async def test_a_database_that_does_not_say_whether_it_is_stored_rings_nothing(
    key: str | None, stored: bool, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when PostgreSQL is killed amid COMMIT: the request is refused soon, and gone in the end."""
    real, back = desk.database.calls.commit_early, asyncio.Event()

    async def unclear(batch: Any) -> Any:
        await back.wait()
        if not stored:
            raise DatabaseUnavailable("it was not")
        return await real(batch)

    monkeypatch.setattr(place_call, "_PATIENCE", 0.01)
    monkeypatch.setattr(desk.database.calls, "commit_early", unclear)
    assert await desk.refusal(idempotency_key=key) == "ENGINE_UNAVAILABLE"
    monkeypatch.undo()
    back.set()
    await until(lambda: not desk.place._storing, "that it is over")
    assert (desk.engine.asked, desk.calls.live) == ([], {})
    assert await desk.database.calls.open_calls(NODE.id) == []
    await desk.click(idempotency_key=key)
    assert [asked.call_id for asked in desk.engine.asked] == [*desk.calls.live]


async def test_a_request_that_cannot_be_withdrawn_is_withdrawn_later(desk, monkeypatch) -> None:
    real, failures = desk.database.calls.commit, iter([True, True, False])

    async def failing(batch: Any) -> Any:
        if next(failures):
            raise DatabaseUnavailable("disk full")
        return await real(batch)

    monkeypatch.setattr(desk.database.calls, "commit", failing)
    desk.engine.fails = OriginateFailed("Allocation failed")
    assert await desk.refusal() == "DEVICE_OFFLINE"
    await until(lambda: not desk.calls.live, "that it is withdrawn")
    assert await desk.database.calls.open_calls(NODE.id) == []
