"""What may be dialled is filtered at the door: the carrier gets a number, or nothing at all."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import pytest_asyncio

from .ports import loopback
from .sip import Caller
from .stage import Stage
from .waiting import until

DID = "842873002100"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_stage: Stage) -> Any:
    """(tenant, carrier, a caller that is a phone of the account): it may dial 09… alone."""
    stage = module_stage
    carrier, tenant = await stage.carrier(), await stage.tenant("--allow", "09")
    await tenant.trunk(carrier.host)
    device = await tenant.user("alice", "--extension", "101")
    await tenant.number(DID, "alice")
    who = Caller(
        address=loopback(),
        server=stage.server.sip,
        user=device.sip_user,
        password=device.password,
    )
    return tenant, carrier, who


@pytest.mark.parametrize(
    ("dialled", "shown"),
    [
        ("0901234599,9", "09012345999"),
        ("0901234599%2C9", "09012345999"),
        ("1,9", "19"),
        ("0901234586x12", "0901234586x12"),
        ("0901234586w12", "0901234586w12"),
        ("0901+234586", "0901+234586"),
        ("%24%7BEXTEN%7D0901234586", "EXTEN0901234586"),
        ("0901234586&PJSIP%2Fx", "0901234586PJSIPx"),
        ("09%22%2901234586", "0901234586"),
        ("09" * 17, "09" * 17),
        ("+", "+"),
        ("%EF%BC%90901234586", "901234586"),  # a wide 0
        ("x", "x"),
        ("alice", "alice"),
    ],
)
async def test_what_is_no_number_is_refused_and_recorded(
    dialled: str, shown: str, house: Any
) -> None:
    tenant, carrier, who = house
    before = len(await tenant.api.history())
    answer = await who.invite(dialled)
    assert answer.code == 404, answer

    async def told() -> list[Any]:
        return (await tenant.api.history())[: -before or None]

    (record,) = await until(told, f"a record of {dialled}")
    assert record["callee"]["number"] == shown
    assert (record["status_detail"], record["billing_seconds"]) == ("UNSUCCESS", 0)
    assert carrier.invites == []


async def test_what_the_account_may_not_dial_is_refused(house: Any) -> None:
    _, carrier, who = house
    assert (await who.invite("0801234586")).code == 403
    assert (await who.invite("*09")).code == 403
    assert carrier.invites == []


@pytest.mark.parametrize(
    "dialled",
    [
        "0901234586;ext=12",
        "0901234586;isub=12",
        "0901234586;phone-context=+84",
        "(090)%20123-45.86",
        "%5B090%5D1234586",
        "090/1234-586",
        "090%E2%80%911234%C2%A0586",  # U+2011, U+00A0
        "%E2%80%AA0901234586%E2%80%AC",  # U+202A, U+202C
        "%EF%BC%88090%EF%BC%891234586",  # wide brackets
    ],
)
async def test_parameters_and_marks_are_dropped(dialled: str, house: Any) -> None:
    _, carrier, who = house
    before = len(carrier.invites)
    assert (await who.invite(dialled)).code == 200
    assert [invite.number for invite in carrier.invites[before:]] == ["0901234586"]


async def test_a_number_has_32_digits_and_its_plus(house: Any) -> None:
    _, _, who = house
    assert (await who.invite("+" + "9" * 32)).code == 403  # a number, which the policy refuses
    assert (await who.invite("+" + "9" * 33)).code == 404


@pytest.mark.parametrize("dialled", [DID, f"+{DID}", f"{DID};npdi", f"+{DID};cpc=ordinary"])
async def test_an_inbound_number_is_found_whatever_is_with_it(dialled: str, house: Any) -> None:
    _, carrier, who = house
    caller = Caller(address=carrier.address, server=who.server, user="84907654321")
    assert (await caller.invite(dialled)).code == 480  # nobody's phone is there, but the number is


async def test_what_a_phone_prefers_is_answered(house: Any) -> None:
    _, _, who = house
    for codecs in (
        ("9 G722/8000", "0 PCMU/8000"),
        ("0 PCMU/8000", "9 G722/8000"),
        ("9 G722/8000",),
    ):
        answer = await msgspec.structs.replace(who, codecs=codecs).invite("0901234586")
        assert answer.code == 200
        offered = {codec.split()[1] for codec in codecs}
        assert {name for name in offered if name in answer.body} == {codecs[0].split()[1]}
    unknown = msgspec.structs.replace(who, codecs=("18 G729/8000",))
    assert (await unknown.invite("0901234586")).code == 488
