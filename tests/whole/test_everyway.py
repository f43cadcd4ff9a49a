"""One numbered log, every way out of it: whoever reads it, however, has the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from .listener import JavaScript, Listener, RawWebSocket, Seen, snake
from .ports import loopback
from .readers import Receiver, Stream
from .stage import Stage, Tenant, together

pytestmark = pytest.mark.parametrize("module_stage", ["sqlite", "postgresql"], indirect=True)

NUMBER = "84901234567"
EVERYTHING = ("call.#", "device.#", "trunk.#", "webhook.#")


class Told(msgspec.Struct, frozen=True):
    """What every way says of an event."""

    seq: int
    name: str
    call_id: str | None
    client_ref: str | None
    time: str

    @classmethod
    def by_socket(cls, seen: Seen) -> Told:
        """From a payload, its keys in lower_snake."""
        data = seen.data
        reference = data.get("client_ref")
        return cls(seen.seq, seen.name, seen.call_id or None, reference, data["event_time"])

    @classmethod
    def by_envelope(cls, event: Mapping[str, Any]) -> Told:
        """From /v1's envelope."""
        return cls(
            event["seq"], event["type"], event["call_id"], event["client_ref"], event["time"]
        )


class Scene:
    """One call, and everybody who was told of it."""

    tenant: Tenant
    key: str
    call_id: str
    record: dict[str, Any]
    sockets: list[Listener]
    stream: Stream
    receiver: Receiver
    secret: str
    log: list[dict[str, Any]]

    async def page(self, after: int) -> list[dict[str, Any]]:
        """GET /v1/events."""
        answer = await self.v1("GET", f"/v1/events?after={after}&limit=1000")
        return list(answer["events"])

    async def v1(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await self.tenant.api.http.request(method, path, headers=headers, **options)
        assert answer.is_success, answer.text
        return answer.json()

    @property
    def told(self) -> list[Told]:
        """What the log says."""
        return [Told.by_envelope(event) for event in self.log]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(module_stage: Stage) -> Any:
    stage, scene, address = module_stage, Scene(), loopback()
    scene.tenant = tenant = await stage.tenant()
    far = await stage.far_phone(NUMBER, address, tone=900)
    alice = await tenant.user("alice", "--extension", "101")
    await tenant.trunk(f"{address}:{far.line.port}")
    phone = await stage.phone(alice, tone=500)
    await _readers(stage, scene)
    scene.call_id = await tenant.click(alice, NUMBER, client_ref="order-7")
    await together(far.wait_for("CALL_ESTABLISHED"), phone.wait_for("CALL_ESTABLISHED"))
    await asyncio.sleep(2)  # they talk
    await phone.hang_up()
    scene.record = await tenant.api.record(scene.call_id)
    ready = await scene.sockets[0].wait_for("RECORDING_READY")
    scene.log = [event for event in await scene.page(0) if event["seq"] <= ready.seq]
    await together(
        *(one.events.wait(lambda seen: seen.seq >= ready.seq, "the end") for one in scene.sockets),
        scene.stream.events.wait(lambda event: event["seq"] >= ready.seq, "the end"),
        scene.receiver.posts.wait(lambda _: len(scene.receiver.events) >= ready.seq, "all of it"),
    )
    yield scene
    await together(scene.stream.close(), scene.receiver.close())


async def _readers(stage: Stage, scene: Scene) -> None:
    tenant = scene.tenant
    made = await tenant.server.cli(
        *("key", "create", "crm", "--account", tenant.name),
        *("--scopes", "events:read,webhooks:write"),
    )
    scene.key, scene.receiver = made["key"], Receiver()
    hook = {"url": await scene.receiver.open(), "after": 0}
    scene.secret = (await scene.v1("POST", "/v1/webhooks", json=hook))["secret"]
    scene.stream = Stream(tenant.server.url, scene.key, 0)
    scene.sockets = [
        await stage.listen(JavaScript, tenant, 0, *EVERYTHING),
        await stage.listen(RawWebSocket, tenant, 0, *EVERYTHING),
    ]


def _upto(scene: Scene, told: list[Told]) -> list[Told]:
    """What was told up to where the scene ends: phones go on registering."""
    return [one for one in told if one.seq <= scene.log[-1]["seq"]]


async def test_the_log_is_numbered_from_one_without_a_gap(scene: Scene) -> None:
    numbers = [event["seq"] for event in scene.log]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 12


async def test_every_way_tells_the_same_numbers_ids_and_times(scene: Scene) -> None:
    for socket in scene.sockets:
        told = [Told.by_socket(seen) for seen in socket.events.all]
        assert _upto(scene, told) == scene.told
    for events in (scene.stream.events.all, scene.receiver.events):
        assert _upto(scene, [Told.by_envelope(event) for event in events]) == scene.told


async def test_the_envelope_is_one_and_the_same(scene: Scene) -> None:
    end = len(scene.log)
    assert scene.stream.events.all[:end] == scene.log
    assert scene.receiver.events[:end] == scene.log


async def test_a_webhook_is_signed_and_its_ids_are_its_own(scene: Scene) -> None:
    for headers, body in scene.receiver.posts.all:
        Webhook(scene.secret).verify(body, headers)
    ids = {headers["webhook-id"] for headers, _ in scene.receiver.posts.all}
    assert len(ids) == len(scene.receiver.events)


async def test_a_webhook_keeps_the_order_of_a_call(scene: Scene) -> None:
    posted = [json.loads(body) for _, body in scene.receiver.posts.all]
    mine = [event["seq"] for event in posted if event["call_id"] == scene.call_id]
    assert mine == sorted(mine)


async def test_whoever_resumes_in_the_middle_has_the_rest(
    scene: Scene, module_stage: Stage
) -> None:
    middle = len(scene.log) // 2
    rest = scene.told[middle:]
    kinds: list[type[Listener]] = [JavaScript, RawWebSocket]
    for kind in kinds:
        socket = await module_stage.listen(kind, scene.tenant, middle, *EVERYTHING)
        await socket.wait_for("RECORDING_READY")
        assert _upto(scene, [Told.by_socket(seen) for seen in socket.events.all]) == rest
    stream = Stream(scene.tenant.server.url, scene.key, middle)
    await stream.events.wait(lambda event: event["type"] == "RECORDING_READY", "the end")
    await stream.close()
    for events in (stream.events.all, await scene.page(middle)):
        assert _upto(scene, [Told.by_envelope(event) for event in events]) == rest


async def test_the_ids_are_those_of_the_history_and_of_the_recording(scene: Scene) -> None:
    mine = [event for event in scene.log if event["call_id"] is not None]
    assert {event["call_id"] for event in mine} == {scene.call_id, scene.record["call_id"]}
    assert {event["client_ref"] for event in mine} == {"order-7"}
    assert [event["type"] for event in mine[-2:]] == ["CALL_ENDED", "RECORDING_READY"]
    ended, ready = (event["data"] for event in mine[-2:])
    record = snake(scene.record)
    assert {name: ended[name] for name in record} == record
    assert ready["media_name"] == scene.record["recording"]
    played = await scene.tenant.api.play_recording(ready["media_name"])
    assert played.status_code == 200, played.text
