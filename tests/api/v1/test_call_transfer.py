"""Controlling a live call by /v1: what the verb is request, and how its refusals are told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from trunkline.work.control.transfer_call import Transferred, TransferWanted
from trunkline.work.refused import Refused

from .conftest import Office, problem_of

URL = "/v1/calls/c1/transfer"


class Verb:
    """Writes down what it is request."""

    def __init__(self) -> None:
        self.request: list[TransferWanted] = []
        self.refusal: Refused | None = None

    async def __call__(self, wanted: TransferWanted) -> Transferred:
        self.request.append(wanted)
        if self.refusal is not None:
            raise self.refusal
        return Transferred(wanted.leg_id or "l1", "101")


@pytest.fixture
def verb(office: Office, monkeypatch: pytest.MonkeyPatch) -> Verb:
    made, deps = Verb(), office.deps

    def with_verb(**settings: Any) -> Any:
        from dataclasses import replace

        return replace(deps(**settings), transfer_call=made)

    monkeypatch.setattr(office, "deps", with_verb)
    return made


async def test_a_transfer_is_asked_for_once_under_the_accounts_own_name(
    office: Office, verb: Verb
) -> None:
    entry, key = office.made("calls:write")
    headers = {"idempotency-key": "t1"}
    async with office.client(key) as client:
        answers = [
            await client.post(URL, json={"to": "1 01", "leg": "l2"}, headers=headers)
            for _ in range(2)
        ]
    assert [answer.json() for answer in answers] == [
        {"call_id": "c1", "leg": "l2", "to": "101"}
    ] * 2
    assert verb.request == [
        TransferWanted(
            account_id=office.account.account_id,
            call_id="c1",
            to="1 01",
            leg_id="l2",
            by=f"key {entry.key_id}",
        )
    ]


async def test_reading_calls_is_not_enough(office: Office, verb: Verb) -> None:
    async with office.client(office.key("calls:read")) as client:
        refused = await client.post(URL, json={"to": "101"})
    assert (problem_of(refused), verb.request) == ((403, "scope_missing"), [])


@pytest.mark.parametrize("body", [{}, {"to": ""}, {"to": 101}, {"to": "1", "from": "2"}, []])
async def test_a_body_that_is_not_that(office: Office, verb: Verb, body: Any) -> None:
    async with office.client() as client:
        assert problem_of(await client.post(URL, json=body)) == (400, "body_invalid")
    assert verb.request == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("NUMBER_INVALID", 400),
        ("DESTINATION_NOT_ALLOWED", 403),
        ("NOT_FOUND", 404),
        ("CALL_OVER", 409),
        ("NOT_TRANSFERABLE", 409),
        ("ENGINE_UNAVAILABLE", 503),
    ],
)
async def test_each_refusal_has_its_code(
    office: Office, verb: Verb, code: str, status: int
) -> None:
    verb.refusal = Refused(code, "because", 5 if status == 503 else None)
    async with office.client() as client:
        answer: httpx.Response = await client.post(URL, json={"to": "101"})
    assert problem_of(answer) == (status, code.lower())
    assert (answer.json()["detail"], answer.headers.get("retry-after")) == (
        "because",
        "5" if status == 503 else None,
    )
