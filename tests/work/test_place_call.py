"""Placing a call: the order of refusals, and nothing secret said."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from calls.replay import NODE
from trunkline.directory.entries import AccountEntry, DeviceEntry, TrunkEntry
from trunkline.engine.port import EngineUnavailable, OriginateFailed
from trunkline.routing.ports import legs
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.sqlite import writer
from trunkline.work.manage.accounts import create_account, set_account
from trunkline.work.manage.apps import create_app
from trunkline.work.manage.destinations import destination
from trunkline.work.manage.devices import create_device, set_device
from trunkline.work.manage.entries import delete
from trunkline.work.manage.extensions import create_extension
from trunkline.work.manage.trunks import create_trunk, set_trunk
from trunkline.work.manage.users import create_user
from trunkline.work.place.place_call import CallWanted
from trunkline.work.refused import Refused
from work.desk import NUMBER, PASSWORD, SECOND, Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path / "trunkline.db")
    yield made
    await made.database.close()


async def test_the_call_goes_to_the_device_under_the_id_that_the_app_is_told(desk: Desk) -> None:
    answer = await desk.click("+84 (28) 7301-9555", client_ref="crm-1")
    (asked,) = desk.engine.asked
    assert answer.status == 200
    assert asked.call_id.encode() in answer.body
    assert (asked.endpoint, asked.extension) == ("an1", "+842873019555")
    assert asked.context == "from-device"
    assert asked.variables["__CALL_ID"] == asked.call_id
    assert asked.variables["CLICK"] == "1"
    call = desk.calls.live[asked.call_id]
    assert (call.client_ref, call.app_id, call.class_) == ("crm-1", desk.app.id, "trunking")
    assert (await desk.database.calls.open_calls(NODE.id))[0].call_id == asked.call_id


async def test_an_extension_is_a_call_to_its_user(desk: Desk) -> None:
    await desk.click("101")
    assert desk.engine.asked[0].extension == "101"
    (call,) = desk.calls.live.values()
    assert (call.class_, call.callee.username) == ("one_one", "an")


# ---- Refusals, and their order -------------------------------------------------------------------


async def test_refusals_come_in_the_contracts_order(desk: Desk) -> None:
    desk.engine.states["an1"] = False
    assert await desk.refusal("12-x", sip_password="wrong") == "NUMBER_INVALID"
    assert await desk.refusal("0900123", sip_password="wrong") == "SIP_AUTH_FAILED"
    assert await desk.refusal("0900123") == "DESTINATION_NOT_ALLOWED"
    assert await desk.refusal() == "DEVICE_OFFLINE"
    assert desk.engine.asked == []
    assert desk.calls.live == {}


async def test_an_account_without_a_trunk_may_not_dial_out(desk: Desk) -> None:
    with desk.directory() as directory:
        (trunk,) = directory.all(TrunkEntry, desk.account.account_id)
        directory.delete(TrunkEntry, trunk.trunk_id)
    assert await desk.refusal() == "DESTINATION_NOT_ALLOWED"
    desk.engine.states["an1"] = False
    assert await desk.refusal() == "DEVICE_OFFLINE"


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "12a",
        "++12",
        "1" * 33,
        "12\n34",
        "12&PJSIP/x",
        "sip:1@h",
        "12@x",
    ],
)
async def test_what_is_no_number_is_refused(number: str, desk: Desk) -> None:
    assert await desk.refusal(number) == "NUMBER_INVALID"


async def test_a_code_that_is_nobodys_inside_is_not_dialled_out(desk: Desk) -> None:
    assert await desk.refusal("*99#") == "DESTINATION_NOT_ALLOWED"
    assert desk.engine.asked == []


async def test_every_wrong_device_gets_the_same_answer(desk: Desk) -> None:
    answers = []
    for wanted in (
        {"sip_user": "nobody"},
        {"sip_user": ""},
        {"sip_user": "an1\0"},
        {"sip_password": ""},
        {"sip_password": PASSWORD + " "},
    ):
        with pytest.raises(Refused) as refused:
            await desk.click(**wanted)
        answers.append((refused.value.code, refused.value.detail, refused.value.retry_after))
    assert set(answers) == {answers[0]}
    assert answers[0][0] == "SIP_AUTH_FAILED"


async def test_guessing_is_stopped_for_that_device_only(desk: Desk) -> None:
    codes = [await desk.refusal(sip_password="wrong") for _ in range(5)]
    assert codes == ["SIP_AUTH_FAILED"] * 3 + ["RATE_LIMITED"] * 2
    assert await desk.refusal() == "RATE_LIMITED"
    assert await desk.refusal(sip_user="other") == "SIP_AUTH_FAILED"


async def test_guesses_that_come_all_at_once_are_stopped_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = desk.database.directory.device

    async def over_a_network(account_id: str, sip_user: str) -> Any:
        await asyncio.sleep(0)
        return await read(account_id, sip_user)

    monkeypatch.setattr(desk.database.directory, "device", over_a_network)
    guesses = (desk.refusal(sip_password="wrong") for _ in range(20))
    codes = await asyncio.gather(*guesses, desk.refusal())

    assert codes == ["SIP_AUTH_FAILED"] * 3 + ["RATE_LIMITED"] * 18


async def test_right_passwords_are_never_counted(desk: Desk) -> None:
    limit(desk, max_calls="none")
    for n in range(6):
        await desk.click(f"0287301955{n}")
    assert len(desk.engine.asked) == 6


def limit(desk: Desk, **limits: str) -> None:
    with desk.directory() as directory:
        (device,) = directory.called(DeviceEntry, "an1")
        set_device(directory, device, **limits)


async def test_a_device_has_ten_calls_to_the_outside_at_once(desk: Desk) -> None:
    clicks = [desk.click(f"028730195{n:02}") for n in range(20)]
    answers = await asyncio.gather(*clicks, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Refused)]
    assert len(desk.engine.asked) == 10
    assert {(one.code, one.retry_after) for one in refused} == {("RATE_LIMITED", 5)}
    assert "(DEVICE_CALLS)" in refused[0].detail
    limit(desk, max_calls="11")
    assert (await desk.click("02873019599")).status == 200


async def test_what_stays_inside_has_no_limit(desk: Desk) -> None:
    limit(desk, max_calls="0", max_rate="0")
    assert (await desk.click("101")).status == 200
    assert await desk.refusal("02873019599") == "RATE_LIMITED"


async def test_a_device_has_so_many_new_calls_a_minute(desk: Desk) -> None:
    limit(desk, max_calls="none", max_rate="2")
    for n in range(2):
        await desk.click(f"0287301955{n}")
    assert await desk.refusal("02873019552") == "RATE_LIMITED"


async def test_a_trunk_has_so_many_calls(desk: Desk) -> None:
    with desk.directory() as directory:
        (trunk,) = directory.all(TrunkEntry)
        set_trunk(directory, trunk, max_calls="1")
    await desk.click("02873019551")
    assert await desk.refusal("02873019552") == "RATE_LIMITED"


async def test_a_call_for_help_passes_limits_rights_and_a_stop(desk: Desk) -> None:
    with desk.directory() as directory:
        account = directory.called(AccountEntry, "acme")[0]
        set_account(directory, account, country="VN", max_calls="0", max_rate="0")
    desk.place.draining = True
    for number in ("113", "112"):
        assert (await desk.click(number)).status == 200
    assert await desk.refusal("911") == "ENGINE_UNAVAILABLE"


async def test_a_call_for_help_goes_out_though_it_cannot_be_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Any:
        raise DatabaseUnavailable("the disk is full")

    monkeypatch.setattr(desk.calls, "ask", away)
    assert (await desk.click("112")).status == 200
    assert [one.extension for one in desk.engine.asked] == ["112"]
    assert await desk.refusal("02873019555") == "ENGINE_UNAVAILABLE"


async def test_a_call_for_help_without_a_trunk_is_refused(desk: Desk) -> None:
    with desk.directory() as directory:
        (trunk,) = directory.all(TrunkEntry)
        delete(directory, TrunkEntry, trunk)
    assert await desk.refusal("112") == "DESTINATION_NOT_ALLOWED"


async def test_a_click_that_would_have_no_ports_is_refused(desk: Desk) -> None:
    desk.legs = legs(30_000, 30_029)  # 11 of an account
    desk.begin()
    limit(desk, max_calls="none")
    for n in range(5):
        await desk.click(f"028730195{n:02}")
    for number in ("02873019599", "101"):
        assert await desk.refusal(number) == "RATE_LIMITED"
    assert (await desk.click("112")).status == 200


async def test_deny_goes_before_allow(desk: Desk) -> None:
    with desk.directory() as directory:
        account = create_account(directory, "strict", allow=["028", "101"], deny=["0289"])
        app, _ = create_app(directory, account)
        user = create_user(directory, account, "bo")
        create_device(directory, account, user, "bo1", realm="r", password=PASSWORD)
        create_trunk(directory, account, "carrier", "127.0.0.1:5060")
    desk.engine.states["bo1"] = True
    desk.app = await desk.database.directory.app(app.app_id)
    assert (await desk.click("0281234", sip_user="bo1")).status == 200
    assert await desk.refusal("0289234", sip_user="bo1") == "DESTINATION_NOT_ALLOWED"
    assert await desk.refusal("0301234", sip_user="bo1") == "DESTINATION_NOT_ALLOWED"


async def test_another_accounts_device_is_unknown(desk: Desk) -> None:
    with desk.directory() as directory:
        account = create_account(directory, "other")
        app, _ = create_app(directory, account)
    desk.app = await desk.database.directory.app(app.app_id)
    assert await desk.refusal() == "SIP_AUTH_FAILED"


async def test_no_calls_while_draining_or_without_an_engine(desk: Desk) -> None:
    desk.place.draining = True
    assert await desk.refusal() == "ENGINE_UNAVAILABLE"
    desk.place.draining, desk.engine.up = False, False
    assert await desk.refusal() == "ENGINE_UNAVAILABLE"
    assert await desk.refusal("0900123") == "DESTINATION_NOT_ALLOWED"


async def test_the_engine_is_asked_itself_before_a_device_is_called_offline(desk: Desk) -> None:
    desk.engine.states.clear()
    assert await desk.refusal() == "DEVICE_OFFLINE"
    assert desk.engine.looked == ["an1"]
    desk.engine.fails = EngineUnavailable("cut off")
    assert await desk.refusal() == "ENGINE_UNAVAILABLE"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OriginateFailed("no contact"), "DEVICE_OFFLINE"),
        (EngineUnavailable("x"), "ENGINE_UNAVAILABLE"),
    ],
)
async def test_a_call_that_could_not_be_sent_never_was(error, code: str, desk: Desk) -> None:
    desk.engine.fails = error
    assert await desk.refusal() == code
    assert desk.calls.live == {}
    assert (await desk.database.calls.open_calls(NODE.id)) == []
    desk.engine.fails = None
    assert (await desk.click()).status == 200


# ---- Nothing secret said ---------------------------------------------------------------------------


async def test_no_password_is_said_anywhere(desk: Desk) -> None:
    with structlog.testing.capture_logs() as logs:
        await desk.click(idempotency_key="k")
        desk.now += 10 * SECOND
        with pytest.raises(Refused) as refused:
            await desk.click(sip_password="wr0ng-" + PASSWORD)
        desk.engine.fails = OriginateFailed("x")
        await desk.refusal("02873019557")
    wanted = CallWanted(NUMBER, "an1", PASSWORD)
    said = [repr(wanted), str(wanted), repr(refused.value), refused.value.detail, repr(logs)]
    said += [repr(desk.app), repr(desk.engine.asked), *map(repr, desk.calls.live.values())]
    assert [one for one in said if PASSWORD in one or desk.app.secret in one] == []
    with desk.path.open("rb") as file:
        assert PASSWORD.encode() not in file.read()


async def test_the_phone_is_reached_while_the_disk_is_waited_for_and_no_yes_comes_before(
    desk, monkeypatch
):
    go_on = threading.Event()
    monkeypatch.setattr(writer.os, "fdatasync", lambda _: go_on.wait(30))
    click = asyncio.create_task(desk.click())
    await desk.engine.reached.wait()
    await asyncio.sleep(0.05)
    assert (click.done(), len(desk.engine.living)) == (False, 1)
    go_on.set()
    assert (await click).status == 200


async def test_a_disk_that_fails_is_no_yes_and_the_phone_rings_no_more(desk, monkeypatch):
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(writer.os, "fdatasync", fail)
        assert (await desk.refusal(), desk.engine.living) == ("ENGINE_UNAVAILABLE", [])
        assert len(desk.engine.asked) == 1
    assert (await desk.click()).status == 200


async def test_it_is_known_how_many_calls_are_on_their_way_to_the_engine(desk):
    """Whoever starts an idle engine anew waits for them, and has no others taken on."""
    _, task = await desk.under_way(None)
    assert desk.place.placing == 1
    desk.place.draining = True
    assert await desk.refusal("02873010009") == "ENGINE_UNAVAILABLE"
    assert desk.place.placing == 1
    desk.engine.gate.set()
    await task
    assert desk.place.placing == 0


async def test_an_extension_that_leads_outside_is_let_out_like_the_number_itself(desk):
    with desk.directory() as directory:
        for extension, number in (("700", "0900555"), ("701", "02811112222")):
            to = destination(directory, desk.account, f"outside:{number}")
            create_extension(directory, desk.account, extension, to)
    assert await desk.refusal("700") == "DESTINATION_NOT_ALLOWED"
    assert desk.engine.asked == []
    assert (await desk.click("701")).status == 200
