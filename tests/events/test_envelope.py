"""The envelope of /v1, and Kazoo's lower-case keys."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from calls.replay import NODE, folded, names, scenario
from trunkline.events.envelope import EventEnvelope, envelope, key, snaked
from trunkline.events.of_call import announce
from trunkline.events.of_endpoint import device_state, trunk_state
from trunkline.events.of_recording import recording_failed
from trunkline.events.of_webhook import webhook_stopped
from trunkline.events.payloads import AnyEvent
from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.common.numbering import numbered

AT = 1_700_000_000_123_456
OTHERS: list[Announcement] = [
    device_state("acc", "d" * 32, "an1", "an", True, AT, AT),
    device_state("acc", "d" * 32, "an1", None, False, AT, AT),
    trunk_state("acc", "t" * 32, "Carrier 1", True, AT, AT),
    trunk_state("acc", "t" * 32, "Carrier 1", False, AT, AT),
    recording_failed("acc", "c1", "r.mp3", client_ref="x", reason="AUDIO_MISSING", at=AT, msg_id=1),
    webhook_stopped(
        "acc", "w1", "https://a.example/", "suspended",
        reason="it failed for 3 days", last_status=500, stopped_after=41, at=AT, msg_id=1,
    ),
    webhook_stopped(
        "acc", "w1", "https://a.example/", "disabled",
        reason="it answered 410", last_status=None, stopped_after=41, at=AT, msg_id=1,
    ),
]  # fmt: skip


def scene_events(name: str) -> list[StoredEvent]:
    heard = folded(scenario(name)).heard
    return [
        numbered(announce(call, each, NODE, seq), seq) for seq, (call, each) in enumerate(heard, 1)
    ]


def opened(event: StoredEvent) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(envelope(event))
    return found


@pytest.mark.parametrize("name", names())
def test_an_envelope_says_all_that_the_event_says(name: str) -> None:
    for event in scene_events(name):
        said, shown = msgspec.json.decode(event.body), opened(event)
        data = shown.pop("data")
        assert shown == {
            "seq": event.seq,
            "type": event.name,
            "category": "call",
            "subject": event.subject,
            "account_id": event.account_id,
            "call_id": event.call_id,
            "client_ref": said.get("clientRef"),
            "time": said["Event-Time"],
        }
        expected = {key(name): value for name, value in said.items()}
        expected["custom_channel_vars"] = {
            key(name): value for name, value in said["Custom-Channel-Vars"].items()
        }
        if event.name.startswith("CHANNEL_"):
            expected |= {"call_id": event.call_id, "leg_id": said["Call-ID"]}
        assert data == expected


def test_in_kazoos_keys_call_id_is_the_leg() -> None:
    for event in scene_events("click_answered"):
        said, told = msgspec.json.decode(event.body), msgspec.json.decode(snaked(event.body))
        assert told["call_id"] == said["Call-ID"]
        assert told["custom_channel_vars"]["call_interaction_id"] == event.call_id
        assert told["state"] == said["State"]


def test_a_payload_of_an_earlier_version_has_an_envelope_too() -> None:
    body = b'{"Event-Name":"CHANNEL_CREATE","Call-ID":"leg.1","Event-Seq":7}'
    event = StoredEvent("acc", 7, "call", "CHANNEL_CREATE", "leg.1", "c1", AT, body)

    shown = opened(event)

    assert (shown["call_id"], shown["client_ref"]) == ("c1", None)
    assert (shown["data"]["call_id"], shown["data"]["leg_id"]) == ("c1", "leg.1")


@pytest.mark.parametrize("said", OTHERS, ids=lambda said: said.name)
def test_what_belongs_to_no_leg(said: Announcement) -> None:
    event = numbered(said, 7)
    body, shown = msgspec.json.decode(event.body), msgspec.json.decode(envelope(event))

    assert msgspec.json.encode(msgspec.json.decode(event.body, type=AnyEvent)) == event.body
    assert (body["Event-Time"], shown["time"]) == ("2023-11-14T22:13:20.123Z",) * 2
    assert (body.get("call_id"), body["Event-Seq"]) == (said.call_id, 7)
    assert shown["data"]["state"] == body["State"]
    assert "leg_id" not in shown["data"]


def test_keys() -> None:
    assert [key(name) for name in ("Call-ID", "clientRef", "Other-Leg-Caller-ID-Name", "class")] == [
        "call_id", "client_ref", "other_leg_caller_id_name", "class",
    ]  # fmt: skip


def test_values_are_left_as_they_are() -> None:
    body = b'{"Caller-ID-Name":"A-B \\"C\\" \\u00e9","State":{"Odd-Key":1},"Custom-Channel-Vars":{"Client-Ref":"X-Y"}}'

    assert msgspec.json.decode(snaked(body)) == {
        "caller_id_name": 'A-B "C" é',
        "state": {"Odd-Key": 1},
        "custom_channel_vars": {"client_ref": "X-Y"},
    }


def test_the_envelope_reads_back() -> None:
    event = scene_events("click_answered")[0]
    shown = msgspec.json.decode(envelope(event), type=EventEnvelope)
    assert (shown.seq, shown.type) == (1, "CHANNEL_CREATE")
