"""A call that comes to another process: forwarded to the main server, and answered as by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from trunkline.api.application import build_api
from trunkline.server import server_file
from trunkline.server.main_server_client import MainServerClient
from trunkline.store.secrets import InstallationKey
from trunkline.work.control.transfer_call import Transferred, TransferWanted
from trunkline.work.place.place_call import CallWanted
from trunkline.work.refused import Refused

from .conftest import APP_ID, World, app, client_of

KEY = InstallationKey(b"k" * 32)
CALL = CallWanted("0901", "s1", "secret", "ref", "key-1")


@pytest.fixture
async def main(world: World, tmp_path: Path) -> AsyncIterator[MainServerClient]:
    """The main server's client; the door is in this process."""
    token = server_file.internal_token(KEY)
    made = msgspec.json.encode(server_file.ServerFile("http://main.test", token, 1))
    (tmp_path / server_file.NAME).write_bytes(made)
    main = MainServerClient(tmp_path, "", KEY, httpx.ASGITransport(_door(world, token)))
    yield main
    await main.close()


def _door(world: World, token: str) -> Any:
    return build_api(replace(world.deps(), sync_token=token))


async def test_a_call_is_placed_over_there_with_all_that_was_wanted(
    world: World, main: MainServerClient
) -> None:
    placed = await main.place_call(app(), CALL)
    assert (placed.status, world.place_call.wanted) == (200, [CALL])
    assert b'"success":true' in placed.body


@pytest.mark.parametrize("retry", [None, 7])
async def test_a_refusal_is_the_same_one(
    world: World, main: MainServerClient, retry: int | None
) -> None:
    world.place_call.refusal = Refused("DEVICE_OFFLINE", "not there", retry)
    with pytest.raises(Refused) as raised:
        await main.place_call(app(), CALL)
    refused = raised.value
    assert (refused.code, refused.detail, refused.retry_after) == (
        "DEVICE_OFFLINE",
        "not there",
        retry,
    )


async def test_an_app_that_was_deleted_meanwhile_places_nothing(
    world: World, main: MainServerClient
) -> None:
    with pytest.raises(Refused, match="APPID_NOT_FOUND"):
        await main.place_call(app(id="b" * 32), CALL)
    assert world.place_call.wanted == []


async def test_no_main_server_is_a_refusal_that_passes(tmp_path: Path) -> None:
    main = MainServerClient(tmp_path, "", KEY)
    with pytest.raises(Refused, match="ENGINE_UNAVAILABLE") as raised:
        await main.place_call(app(), CALL)
    assert raised.value.retry_after
    assert await main.trouble() == "the main server does not answer"
    await main.sync()  # a change that is stored is no failure
    await main.close()


async def test_another_installation_may_not_forward(world: World) -> None:
    async with client_of(_door(world, server_file.internal_token(KEY))) as client:
        wrong = server_file.internal_token(InstallationKey(b"x" * 32))
        sent = {"app_id": APP_ID, "wanted": msgspec.to_builtins(CALL)}
        headers = {"authorization": f"Bearer {wrong}"}
        answer = await client.post("/internal/place-call", json=sent, headers=headers)
        assert (answer.status_code, answer.json()["message"]) == (401, "TOKEN_INVALID")
        headers = {"authorization": f"Bearer {server_file.internal_token(KEY)}"}
        answer = await client.post("/internal/place-call", json=[], headers=headers)
        assert (answer.status_code, answer.json()["message"]) == (400, "BODY_INVALID")
    assert world.place_call.wanted == []


async def test_a_change_is_told_again_until_it_has_been_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trunkline.server.main_server_client._AGAIN", 0.01)
    answers, heard = iter([503, 401, 204]), asyncio.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        status = next(answers)
        if status == 204:
            heard.set()
        return httpx.Response(status)

    main = MainServerClient(Path(), "http://main.test/", KEY, httpx.MockTransport(answer))
    await main.sync()
    await asyncio.wait_for(heard.wait(), 10)
    await main.close()


TRANSFER = TransferWanted(account_id="c" * 32, call_id="c1", to="101", leg_id=None, by="key k1")


async def test_a_transfer_is_made_over_there(world: World, main: MainServerClient) -> None:
    done = await main.transfer_call(TRANSFER)
    assert (done, world.transfer_call.wanted) == (
        Transferred("leg-of-the-phone", "101"),
        [TRANSFER],
    )


async def test_a_refused_transfer_is_the_same_refusal(world: World, main: MainServerClient) -> None:
    world.transfer_call.refusal = Refused("NOT_TRANSFERABLE", "nobody talks")
    with pytest.raises(Refused, match="NOT_TRANSFERABLE"):
        await main.transfer_call(TRANSFER)
    away = MainServerClient(Path("/nowhere"), "", KEY)
    with pytest.raises(Refused, match="ENGINE_UNAVAILABLE"):
        await away.transfer_call(TRANSFER)
    await away.close()


async def test_only_the_installation_itself_may_ask_for_any_accounts_transfer(world: World) -> None:
    async with client_of(_door(world, server_file.internal_token(KEY))) as client:
        sent = msgspec.to_builtins(TRANSFER)
        wrong = {
            "authorization": f"Bearer {server_file.internal_token(InstallationKey(b'x' * 32))}"
        }
        answer = await client.post("/internal/transfer-call", json=sent, headers=wrong)
        assert (answer.status_code, answer.json()["message"]) == (401, "TOKEN_INVALID")
        right = {"authorization": f"Bearer {server_file.internal_token(KEY)}"}
        answer = await client.post("/internal/transfer-call", json=sent | {"x": 1}, headers=right)
        assert (answer.status_code, answer.json()["message"]) == (400, "BODY_INVALID")
    assert world.transfer_call.wanted == []
