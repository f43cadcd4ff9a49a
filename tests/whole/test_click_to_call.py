"""The main job, outside in: an application asks, a phone rings, a number is dialled, all is told."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from copy import deepcopy
from typing import Any

import pytest
import pytest_asyncio

from .listener import JavaScript, Listener, RawWebSocket, Seen, SocketIo, snake
from .ports import loopback
from .stage import Stage, Tenant, together
from .tones import Sound
from .waiting import until

LEG = ["CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_DESTROY"]
GREGORIAN = 62_167_219_200
"""Seconds from year 0 to 1970, as Kazoo counts its Timestamp."""
NUMBER = "84901234567"


class Scene:
    """One call with tones both ways, and what everybody saw of it."""

    def __init__(self, tenant: Tenant, call_id: str, listeners: list[Listener]) -> None:
        self.tenant, self.call_id, self.listeners = tenant, call_id, listeners
        self.record: dict[str, Any] = {}
        self.heard: dict[str, Sound] = {}

    @property
    def events(self) -> list[Seen]:
        return self.listeners[0].all_of(self.call_id)

    def legs(self) -> dict[str, list[Seen]]:
        """The CHANNEL_ events of each leg, in order."""
        legs: dict[str, list[Seen]] = {}
        for seen in self.events:
            if seen.name.startswith("CHANNEL_"):
                legs.setdefault(seen.data["call_id"], []).append(seen)
        return legs


@pytest.fixture(scope="module")
def at() -> float:
    return time.time()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(module_stage: Stage, at: float) -> Scene:
    stage, address = module_stage, loopback()
    far = await stage.far_phone(NUMBER, address, tone=900)
    tenant = await stage.tenant()
    alice = await tenant.user("alice", "--extension", "101")
    await tenant.trunk(f"{address}:{far.line.port}")
    phone = await stage.phone(alice, tone=500)
    kinds: list[type[Listener]] = [JavaScript, RawWebSocket, SocketIo]
    listeners = await together(*(stage.listen(kind, tenant, 0) for kind in kinds))
    call_id = await tenant.click(alice, NUMBER, client_ref="order-7")
    scene = Scene(tenant, call_id, listeners)
    await together(far.wait_for("CALL_ESTABLISHED"), phone.wait_for("CALL_ESTABLISHED"))
    await asyncio.sleep(4)  # they talk
    await phone.hang_up()
    scene.record = await tenant.api.record(call_id)
    await together(
        far.wait_for("CALL_CLOSED"), *(one.wait_for("RECORDING_READY") for one in listeners)
    )
    scene.heard = {"alice": phone.heard, "far": far.heard}
    return scene


async def test_each_hears_the_other(scene: Scene) -> None:
    shares = scene.heard["alice"].share(0, 900), scene.heard["far"].share(0, 500)
    assert min(shares) > 0.9, shares


async def test_there_is_one_truthful_record(scene: Scene, at: float) -> None:
    record = deepcopy(scene.record)
    duration, billing = record.pop("duration_seconds"), record.pop("billing_seconds")
    assert 4 <= billing <= duration <= 10
    assert at - 1 <= record.pop("unix_timestamp") <= at + 60
    assert re.fullmatch(r"call_recording_[\w-]+\.mp3", record.pop("recording"))
    alice = record["caller"].pop("number")
    assert alice.startswith("alice-")
    assert record == {
        "call_id": scene.call_id,
        "clientRef": "order-7",
        "caller": {"type": "user", "username": "alice"},
        "callee": {"type": "realnumber", "number": NUMBER},
        "class": "trunking",
        "did_number": None,
        "direction": "from_ab",
        "status_detail": "SUCCESS",
    }
    assert len(await scene.tenant.api.history()) == 1


async def test_every_listener_sees_the_same(scene: Scene) -> None:
    js, *others = ([(e.seq, e.name, e.data) for e in one.events.all] for one in scene.listeners)
    for other in others:
        assert other == js


async def test_the_events_are_numbered_without_a_gap(scene: Scene) -> None:
    numbers = [seen.seq for seen in scene.listeners[0].events.all]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_both_legs_are_told_from_start_to_end(scene: Scene) -> None:
    legs = scene.legs()
    assert len(legs) == 2
    for events in legs.values():
        names = [seen.name for seen in events]
        assert list(dict.fromkeys(names)) == LEG
        counts = Counter(names)
        assert [counts[name] for name in (LEG[0], LEG[2], LEG[4])] == [1, 1, 1]


async def test_every_event_carries_what_the_contract_says(scene: Scene, at: float) -> None:
    account, channel = scene.tenant.id, [e for leg in scene.legs().values() for e in leg]
    for seen in channel:
        data, variables = seen.data, seen.data["custom_channel_vars"]
        assert (data["event_category"], data["event_name"]) == ("call_event", seen.name)
        assert data["call_direction"] == "outbound"
        assert variables["call_interaction_id"] == scene.record["call_id"]
        assert (variables["account_id"], variables["client_ref"]) == (account, "order-7")
        assert at - 2 <= data["timestamp"] - GREGORIAN <= at + 60
        assert re.fullmatch(r"\d{16}", data["msg_id"])
        if seen.name in ("CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_DESTROY"):
            assert all(
                re.fullmatch(r"[^@\s]+@[^@\s]+", data[key]) for key in ("from", "to", "request")
            )
        if seen.name == "CHANNEL_BRIDGE":
            assert data["other_leg_call_id"] in scene.legs()
    assert len({seen.data["msg_id"] for seen in channel}) == len(channel)


async def test_the_end_of_a_leg_says_how_long_and_why(scene: Scene) -> None:
    for seen in (e for leg in scene.legs().values() for e in leg if e.name == "CHANNEL_DESTROY"):
        assert seen.data["hangup_cause"] == "NORMAL_CLEARING"
        for key in ("duration_seconds", "billing_seconds", "ringing_seconds"):
            assert re.fullmatch(r"\d+", seen.data[key])
        assert int(seen.data["billing_seconds"]) >= 4


async def test_the_finished_record_is_an_event_once(scene: Scene) -> None:
    (ended,) = scene.listeners[0].named("CALL_ENDED")
    record = snake(scene.record)
    assert {key: ended.data.get(key) for key in record} == record


async def test_the_recording_has_the_caller_left_and_the_callee_right(scene: Scene) -> None:
    answer = await scene.tenant.api.play_recording(scene.record["recording"])
    assert answer.status_code == 200, answer.text
    fetched = await scene.tenant.api.http.get(answer.json()["media"])
    assert (fetched.status_code, fetched.headers["content-type"]) == (200, "audio/mpeg")
    sound = Sound(fetched.content)
    assert (sound.channels, sound.seconds > 3) == (2, True)
    shares = sound.share(0, 500), sound.share(1, 900)
    assert min(shares) > 0.85, (shares, sound.heard(0), sound.heard(1))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def agent(module_stage: Stage) -> Any:
    """(tenant, device, phone, carrier): a phone that picks up, and a SIPp carrier."""
    stage = module_stage
    carrier, tenant = await stage.carrier(), await stage.tenant()
    device = await tenant.user("agent", "--extension", "102")
    await tenant.trunk(carrier.host)
    return tenant, device, await stage.phone(device), carrier


async def test_unknown_strange_and_wrong_password_devices_get_one_answer(
    module_stage: Stage, agent: Any
) -> None:
    tenant, device, phone, _ = agent
    other = await module_stage.tenant()
    rang = phone.rung
    answers = [
        await tenant.api.click_to_call(NUMBER, "nobody-here", "secret"),
        await tenant.api.click_to_call(NUMBER, device.sip_user, "wrong"),
        await other.api.click_to_call(NUMBER, device.sip_user, device.password),
    ]
    said = [(a.status_code, a.json()["message"], a.json()["detail"]) for a in answers]
    assert said[0][:2] == (401, "SIP_AUTH_FAILED")
    assert said == said[:1] * 3
    assert [a.json()["request_id"] for a in answers] == [a.headers["X-Request-Id"] for a in answers]
    assert phone.rung == rang


async def test_an_offline_device_is_refused_and_makes_no_record(agent: Any) -> None:
    tenant = agent[0]
    absent = await tenant.user("absent")
    before = len(await tenant.api.history())
    answer = await tenant.api.click_to_call(NUMBER, absent.sip_user, absent.password)
    assert (answer.status_code, answer.json()["message"]) == (400, "DEVICE_OFFLINE")
    assert len(await tenant.api.history()) == before


async def test_a_key_that_was_answered_is_replayed_and_rings_nothing(agent: Any) -> None:
    tenant, device, _, carrier = agent
    who = (device.sip_user, device.password)
    first = await tenant.api.click_to_call("84901110903", *who, key="k-1")
    await carrier.invited("84901110903")
    again = await tenant.api.click_to_call("84901110903", *who, key="k-1")
    assert (again.status_code, again.json()["call_id"]) == (200, first.json()["call_id"])
    other = await tenant.api.click_to_call("84901110200", *who, key="k-1")
    assert other.status_code == 422
    await tenant.api.record(first.json()["call_id"])
    after = await tenant.api.click_to_call("84901110903", *who, key="k-1")
    assert after.json() == first.json()
    asked = [one for one in carrier.invites if one.number.startswith("8490111")]
    assert len(asked) == 1


async def test_a_double_click_is_one_call(agent: Any) -> None:
    tenant, device, phone, _ = agent
    rang = phone.rung
    first, second = await together(
        *(tenant.click(device, "84902220903") for _ in range(2)),
    )
    third = await tenant.click(device, "84902220903")
    assert first == second == third
    await tenant.api.record(first)
    assert phone.rung == rang + 1


async def test_the_same_key_at_the_same_time_makes_one_call(agent: Any) -> None:
    tenant, device, phone, _ = agent
    who, rang = (device.sip_user, device.password), phone.rung
    answers = await together(
        *(tenant.api.click_to_call("84903330903", *who, key="k-2") for _ in range(5))
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    (call_id,) = {a.json()["call_id"] for a in answers if a.status_code == 200}
    await tenant.api.record(call_id)
    assert phone.rung == rang + 1


async def test_the_caller_id_is_the_users_or_else_the_accounts(module_stage: Stage) -> None:
    carrier = await module_stage.carrier()
    tenant = await module_stage.tenant("--caller-id", "842873000001")
    await tenant.trunk(carrier.host)
    own, common = await together(
        tenant.user("own", "--caller-id", "842873000002"), tenant.user("common")
    )
    await together(module_stage.phone(own), module_stage.phone(common))
    await together(tenant.click(own, "84904440903"), tenant.click(common, "84904450903"))
    shown = {
        number: (await carrier.invited(number)).caller_id
        for number in ("84904440903", "84904450903")
    }
    assert shown == {"84904440903": "842873000002", "84904450903": "842873000001"}


async def test_a_recording_that_is_being_made_says_so_and_then_plays(agent: Any) -> None:
    tenant, device, _, _ = agent
    call_id = await tenant.click(device, "84905550903")
    record = await tenant.api.record(call_id)

    async def played() -> bool:
        answer = await tenant.api.play_recording(record["recording"])
        if answer.status_code == 409:
            assert answer.json()["message"] == "RECORDING_NOT_READY"
            assert int(answer.headers["Retry-After"]) >= 1
        return bool(answer.status_code == 200)

    await until(played, "the recording", every=0.2)
