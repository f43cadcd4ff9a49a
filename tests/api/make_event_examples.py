"""Make the examples of the AsyncAPI document from recorded calls, by the product's own code.

Run it when an event says something new: ``PYTHONPATH=tests python -m api.make_event_examples``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from calls.replay import NODE, folded, scenario
from trunkline.calls.cel import endpoint_of
from trunkline.calls.facts import Party
from trunkline.calls.times import rfc3339
from trunkline.events.of_call import announce, told_of
from trunkline.events.of_endpoint import auth_failed, device_state, trunk_state
from trunkline.events.of_recording import recording_failed, recording_ready
from trunkline.events.of_webhook import webhook_stopped
from trunkline.events.state import DeviceState
from trunkline.events.stored import Announcement
from trunkline.store.common.numbering import numbered

FILE = Path(__file__).parents[2] / "src" / "trunkline" / "api" / "docs" / "event_examples.json"
SCENES = ("attended_transfer", "held", "click_answered")
SECOND = 1_000_000
HARD_TO_QUOTE = rb"An \\ \"Agent\""
"""The recorded agent's name, as it stands in JSON."""


def calls() -> list[Announcement]:
    """All that is told of two recorded calls."""
    return [
        announce(call, heard, NODE, heard.at)
        for name in SCENES
        for call, heard in folded(scenario(name)).heard
    ]


def bad_audio() -> list[Announcement]:
    """What is told of a leg whose audio was bad: the first one of the last call, over a network that loses packets."""
    scene = scenario(SCENES[-1])
    over = next(row for row in scene.rows if row.event == "HANGUP")
    counts = "lp=1;rxcount=149;txcount=150;rlp=15;rxmes=52.1;txmes=87.9"
    jitter = "maxrxjitter=000.009125;avgrxjitter=000.004250;maxtxjitter=000.041500;avgtxjitter=000.021875"
    told = f"codec=(ulaw)&rtcp={counts}&jitter={jitter}&rtt=avgrtt=000.064120"
    media = over._replace(event="MEDIA", extra=msgspec.json.encode({"extra": told}).decode())
    rows = [*scene.rows[: scene.rows.index(over)], media, *scene.rows[scene.rows.index(over) :]]
    heard = folded(msgspec.structs.replace(scene, rows=rows)).heard
    told = [(call, each) for call, one in heard for each in told_of(call, one)]
    return [announce(*one, NODE, one[1].at) for one in told if one[1].name == "CALL_QUALITY"]


def no_place() -> list[Announcement]:
    """What is told where the device has as many calls as it may: in place of the last call's second leg."""
    scene = scenario(SCENES[-1])
    answered = next(row for row in scene.rows if row.event == "ANSWER")
    said = f"reason=DEVICE_CALLS&number={scene.requests[0].dialled}&device={endpoint_of(answered.channel)}"
    told = answered._replace(event="REFUSED", extra=msgspec.json.encode({"extra": said}).decode())
    rows = [*scene.rows[: scene.rows.index(answered) + 1], told]
    heard = folded(msgspec.structs.replace(scene, rows=rows)).heard
    return [announce(*one, NODE, one[1].at) for one in heard if one[1].name == "CALL_REFUSED"]


def others(ended: Announcement) -> list[Announcement]:
    """What else could have been told after the last call, of its parties and its recording."""
    (asked,) = scenario(SCENES[-1]).requests
    account, at = ended.account_id, ended.at + 2 * SECOND
    name, ref = f"call_recording_{asked.recording}.mp3", asked.client_ref
    agent: Party = asked.caller
    assert agent.device_id
    said = [
        recording_ready(
            account, asked.call_id, name,
            client_ref=ref, size=24_768, seconds=3.005, at=at, msg_id=at,
        ),
        recording_failed(
            account, asked.call_id, name,
            client_ref=ref, reason="AUDIO_MISSING", at=at, msg_id=at,
        ),
    ]  # fmt: skip
    said += [
        device_state(account, agent.device_id, agent.number, agent.username, online, at, at)
        for online in (True, False)
    ]
    said.append(
        auth_failed(
            account, agent.device_id, agent.number, agent.username,
            address="203.0.113.7", count=308, at=at, msg_id=at,
            state=DeviceState(
                sip_user=agent.number, username=agent.username, online=True, srtp="off",
                since=rfc3339(at - SECOND),
            ),
        )
    )  # fmt: skip
    said += [
        trunk_state(account, "51371e50ea93676f", "carrier", reason is None, at, at, reason)
        for reason in (None, "UNREACHABLE")
    ]
    return said + webhooks(account, at)


def webhooks(account: str, at: int) -> list[Announcement]:
    """A webhook that failed for long, and one that was told to be gone."""
    where = (account, "7c1f0a52", "https://crm.example.com/trunkline")
    return [
        webhook_stopped(
            *where, "suspended",
            reason="failed for 5 days", last_status=503, stopped_after=41, at=at, msg_id=at,
        ),
        webhook_stopped(
            *where, "disabled",
            reason="answered 410 Gone", last_status=410, stopped_after=41, at=at, msg_id=at,
        ),
    ]  # fmt: skip


def made() -> bytes:
    """The file: each event's name, and the last of that name as it is stored."""
    told = calls()
    told += others(told[-1])
    told += bad_audio()
    told += no_place()
    stored = {said.name: numbered(said, seq) for seq, said in enumerate(told, 42)}
    shown = {
        name: msgspec.structs.asdict(event) | {"body": msgspec.Raw(event.body)}
        for name, event in stored.items()
    }
    file = msgspec.json.format(msgspec.json.encode(shown), indent=1) + b"\n"
    return file.replace(HARD_TO_QUOTE, b"Anna Agent")


if __name__ == "__main__":
    FILE.write_bytes(made())
