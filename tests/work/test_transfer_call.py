"""Blind transfer: which leg leaves, whose rights count, and every way in which it is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from trunkline.calls import facts as f
from trunkline.directory.entries import AccountEntry, DeviceEntry
from trunkline.engine.port import EngineUnavailable, TransferFailed
from trunkline.work.control.transfer_call import TransferCall, Transferred, TransferWanted
from trunkline.work.manage import entries
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.users import create_user
from trunkline.work.refused import Refused

from .desk import SECOND, Desk
from .talking import CALL, PHONE_LEG, TRUNK_LEG, phone, talk


class Transferring:
    """An engine that writes down what it is to transfer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.fails: Exception | None = None

    async def transfer(self, leg_id: str, context: str, extension: str) -> None:
        if self.fails:
            raise self.fails
        self.asked.append((leg_id, context, extension))


class Scene:
    """A customer who talks with an1, by a trunk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.engine = Transferring()
        engine: Any = self.engine
        self.verb = TransferCall(desk.database, engine, desk.calls)

    @property
    def account_id(self) -> str:
        return self.desk.account.account_id

    async def asks(self, to: str = "0281234567", **more: Any) -> Transferred:
        values = {"account_id": self.account_id, "call_id": CALL, "leg_id": None, "by": "key k1"}
        return await self.verb(TransferWanted(**{**values, "to": to, **more}))

    async def refused(self, *arguments: Any, **more: Any) -> tuple[str, bool]:
        """(code, may a retry help)."""
        with pytest.raises(Refused) as raised:
            await self.asks(*arguments, **more)
        return raised.value.code, raised.value.retry_after is not None


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    made = Scene(Desk(tmp_path / "trunkline.db"))
    await talk(made.desk)
    return made


async def test_the_phone_leaves_and_it_is_logged_who_asked(scene: Scene) -> None:
    logging.disable(logging.NOTSET)
    with capture_logs() as logs:
        done = await scene.asks("028-123.45 67")
    assert done == Transferred(PHONE_LEG, "0281234567")
    assert scene.engine.asked == [(PHONE_LEG, "transfer", "0281234567")]
    (told,) = [each for each in logs if each["event"] == "call.transferred"]
    assert (told["asked_by"], told["call_id"], told["number"]) == ("key k1", CALL, "0281234567")


async def test_an_extension_needs_no_right_to_dial_out(scene: Scene) -> None:
    with scene.desk.directory() as directory:
        create_user(directory, scene.desk.account, "binh", name="Binh", extension="102")
        directory.change(AccountEntry, scene.account_id, dial_deny="1")
    assert await scene.refused("103") == ("DESTINATION_NOT_ALLOWED", False)
    assert (await scene.asks("102")).to == "102"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("", "NUMBER_INVALID"),
        ("1" * 33, "NUMBER_INVALID"),
        ("101,1", "NUMBER_INVALID"),
        ("101\r\nAction: Command", "NUMBER_INVALID"),
        ("101@from-trunk", "NUMBER_INVALID"),
        ("09001234567", "DESTINATION_NOT_ALLOWED"),
    ],
)
async def test_a_number_that_a_click_could_not_dial_is_refused(
    scene: Scene, to: str, code: str
) -> None:
    assert await scene.refused(to) == (code, False)
    assert scene.engine.asked == []


async def test_only_a_phone_that_talks_can_leave(scene: Scene) -> None:
    assert await scene.refused(leg_id=TRUNK_LEG) == ("NOT_TRANSFERABLE", False)
    assert await scene.refused(leg_id="no-such-leg") == ("NOT_TRANSFERABLE", False)
    await scene.desk.calls.record(phone(scene.desk, "leg-2", scene.desk.now + 2 * SECOND))
    with pytest.raises(Refused, match=rf"{PHONE_LEG} \(an1\) or leg-2 \(an1\)"):
        await scene.asks()
    assert (await scene.asks(leg_id="leg-2")).leg_id == "leg-2"
    gone = f.LegLeft(call_id=CALL, leg_id=PHONE_LEG, at=scene.desk.now + 9 * SECOND, bridge_id="b")
    await scene.desk.calls.record([gone])
    assert await scene.refused(leg_id=PHONE_LEG) == ("NOT_TRANSFERABLE", False)


async def test_what_is_unknown_foreign_or_over(scene: Scene) -> None:
    with scene.desk.directory() as directory:
        other = create_account(directory, "others")
    assert await scene.refused(call_id="no-such-call") == ("NOT_FOUND", False)
    assert await scene.refused(account_id=other.account_id) == ("NOT_FOUND", False)
    end = f.EngineDied(call_id=CALL, at=scene.desk.now + 9 * SECOND)
    await scene.desk.calls.record([end])
    assert await scene.refused() == ("CALL_OVER", False)
    assert await scene.refused(account_id=other.account_id) == ("NOT_FOUND", False)
    assert await scene.refused(account_id=None) == ("NOT_FOUND", False)
    assert scene.engine.asked == []


async def test_the_operator_may_transfer_any_accounts_call(scene: Scene) -> None:
    assert (await scene.asks(account_id=None)).leg_id == PHONE_LEG


async def test_a_phone_that_was_taken_away_has_no_rights(scene: Scene) -> None:
    with scene.desk.directory() as directory:
        (device,) = directory.all(DeviceEntry)
        entries.switch(directory, DeviceEntry, device, False)
    assert await scene.refused() == ("NOT_TRANSFERABLE", False)


async def test_what_the_engine_says(scene: Scene) -> None:
    scene.engine.fails = TransferFailed("Channel specified does not exist")
    assert await scene.refused() == ("NOT_TRANSFERABLE", False)
    scene.engine.fails = EngineUnavailable("away")
    with capture_logs() as logs:
        assert await scene.refused() == ("ENGINE_UNAVAILABLE", True)
    assert [(each["event"], each["asked_by"]) for each in logs] == [
        ("call.transfer_unknown", "key k1")
    ]
