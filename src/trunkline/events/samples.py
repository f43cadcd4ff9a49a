"""Sample events, for those who write programs that take events: the fold makes them, as it makes real ones.

They show one recorded click-to-call with its times moved: the phone rings and is picked up, the
number is dialled, two people talk, hold, and hang up. None of it ever happened, and each sample says so:
``"Test": true``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from trunkline.calls import facts as f
from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.fold import Notice, fold
from trunkline.calls.times import SECOND, rfc3339
from trunkline.events.of_call import Node, announce, told_of
from trunkline.events.of_endpoint import auth_failed, device_state, trunk_state
from trunkline.events.of_recording import recording_failed, recording_ready
from trunkline.events.of_webhook import webhook_stopped
from trunkline.events.payloads import KINDS
from trunkline.events.state import DeviceState
from trunkline.events.stored import Announcement

WHOLE_CALL = "call"
"""The sample that is a whole call: all of its events, in order."""

NAMES = (WHOLE_CALL, *KINDS)
"""The names of all samples."""

MARK = "test-"
"""The beginning of the call id of every sample; no real call id begins so."""

CLIENT_REF = "crm-4711"

MessageIds = Callable[[int], int]


class SampleUnknown(ValueError):
    """There is no sample of that name; the message says which there are."""


class SampleContext(NamedTuple):
    """The account, the call, the time (unix microseconds, of the last event) and the node of a sample."""

    account_id: str
    call_id: str
    at: int
    node: Node
    message_ids: MessageIds


def samples(name: str, wanted: SampleContext) -> list[Announcement]:
    """The sample's events, in order: one of that name, or a whole call's.

    Raises SampleUnknown.
    """
    if name == WHOLE_CALL:
        made = _whole_call(wanted)
    elif name in _ENDPOINTS:
        made = [_ENDPOINTS[name](wanted)]
    elif name in KINDS:
        made = [_one_of_a_call(name, wanted)]
    else:
        raise SampleUnknown(f"there is no sample {name!r}; there are: {', '.join(NAMES)}")
    return [_marked(each) for each in made]


def _marked(made: Announcement) -> Announcement:
    assert isinstance(made.body, msgspec.Struct)
    return msgspec.structs.replace(made, body=msgspec.structs.replace(made.body, test=True))


def _whole_call(wanted: SampleContext) -> list[Announcement]:
    """The call ends a second before, which is the time that its recording took to be made."""
    scene = _folded(_facts(wanted, wanted.at - SECOND - _LASTS))
    return [*(_announced(wanted, *one) for one in scene), _recording_ready(wanted)]


def _one_of_a_call(name: str, wanted: SampleContext) -> Announcement:
    """The first event of that name in the call, which began as long ago as that takes."""
    _, heard = _first(name, wanted, 0)
    return _announced(wanted, *_first(name, wanted, wanted.at - heard.at))


def _first(name: str, wanted: SampleContext, began_at: int) -> tuple[Call, Notice]:
    facts = _facts(wanted, began_at)
    if name == "CALL_MERGED":
        facts = _merged_instead(wanted, facts)
    elif name == "CALL_QUALITY":
        facts = _with_loss(facts)
    elif name == "CALL_REFUSED":
        facts = _refused_instead(facts)
    return next((call, heard) for call, heard in _folded(facts) if heard.name == name)


def _announced(wanted: SampleContext, call: Call, heard: Notice) -> Announcement:
    return announce(call, heard, wanted.node, wanted.message_ids(heard.at))


def _folded(facts: Iterable[AnyFact]) -> list[tuple[Call, Notice]]:
    """What the fold announces of a call with these facts, each with the call as it is then."""
    call: Call | None = None
    scene: list[tuple[Call, Notice]] = []
    for fact in facts:
        folded = fold(call, fact)
        call = folded.call
        for heard in folded.heard:
            assert call is not None
            scene += [(call, each) for each in told_of(call, heard)]
    return scene


_USER = Party(
    number="sample-phone",
    username="sample",
    name="Sam Ple",
    user_id="0" * 31 + "1",
    device_id="0" * 31 + "2",
)
_NUMBER = "+12025550142"  # of those that are kept for fiction
_TRUNK = "0" * 31 + "3"
_BRIDGE = "sample-bridge"
_LASTS = 19_870_000  # microseconds


def _facts(wanted: SampleContext, began_at: int) -> list[AnyFact]:
    """All facts of the call, at the times (in milliseconds after its beginning) of a real one."""
    first, second = wanted.call_id, f"{wanted.call_id}.2"

    def at(milliseconds: int) -> dict[str, Any]:
        return {"call_id": wanted.call_id, "at": began_at + milliseconds * 1000}

    def leg(leg_id: str, milliseconds: int) -> dict[str, Any]:
        return {"leg_id": leg_id, **at(milliseconds)}

    dialled: dict[str, Any] = {"account_id": wanted.account_id, "direction": "outbound"}
    device: dict[str, Any] = {"endpoint": _USER.number, "endpoint_kind": "device", "party": _USER}
    trunk: dict[str, Any] = {"endpoint": _TRUNK, "endpoint_kind": "trunk", "dialled": _NUMBER}
    return [
        f.CallRequested(
            account_id=wanted.account_id,
            app_id="0" * 31 + "4",
            caller=_USER,
            callee=Party(number=_NUMBER),
            class_="trunking",
            dialled=_NUMBER,
            shown_as="+12025550100",
            recording=wanted.call_id,
            client_ref=CLIENT_REF,
            **at(0),
        ),
        f.LegStarted(**dialled, **device, **leg(first, 3)),
        f.LegRinging(**leg(first, 41)),
        f.LegAnswered(**leg(first, 2380)),
        f.LegStarted(**dialled, **trunk, **leg(second, 2390)),
        f.LegRinging(**leg(second, 3170)),
        f.LegAnswered(**leg(second, 6210)),
        f.LegJoined(bridge_id=_BRIDGE, **leg(second, 6211)),
        f.LegJoined(bridge_id=_BRIDGE, **leg(first, 6212)),
        f.LegHeld(**leg(first, 9530)),
        f.LegUnheld(**leg(first, 12_460)),
        f.LegLeft(bridge_id=_BRIDGE, **leg(second, 19_868)),
        f.LegLeft(bridge_id=_BRIDGE, **leg(first, 19_868)),
        f.LegHungUp(cause=16, by=True, **leg(second, 19_869)),
        f.LegEnded(**leg(second, 19_869)),
        f.LegHungUp(cause=16, dial_status="ANSWER", **leg(first, 19_870)),
        f.LegEnded(**leg(first, 19_870)),
    ]


def _merged_instead(wanted: SampleContext, facts: list[AnyFact]) -> list[AnyFact]:
    """The facts of the same call, where the user joins it with another call while she talks."""
    talking = [fact for fact in facts if not isinstance(fact, f.LegLeft | f.LegHungUp | f.LegEnded)]
    into = f"{MARK}{'0' * 31}6"
    at = talking[-1].at + SECOND
    return [*talking, f.CallAbsorbed(call_id=wanted.call_id, at=at, into_call_id=into)]


def _refused_instead(facts: list[AnyFact]) -> list[AnyFact]:
    """The facts of the same call, where the device has no place for one more."""
    picked_up = next(fact for fact in facts if isinstance(fact, f.LegAnswered))
    refused = f.CallRefused(
        call_id=picked_up.call_id,
        leg_id=picked_up.leg_id,
        at=picked_up.at + 10_000,
        reason="DEVICE_CALLS",
        number=_NUMBER,
        device=_USER.number,
    )
    return [*facts[: facts.index(picked_up) + 1], refused]


def _with_loss(facts: list[AnyFact]) -> list[AnyFact]:
    """The facts of the same call, where the user's network loses what is sent there."""
    (over,) = [
        fact for fact in facts if isinstance(fact, f.LegEnded) and fact.leg_id == fact.call_id
    ]
    lossy = f.LegMeasured(
        call_id=over.call_id,
        leg_id=over.leg_id,
        at=over.at,
        codec="ulaw",
        received=854,
        received_lost=3,
        received_jitter=4120,
        sent=829,
        sent_lost=84,
        sent_jitter=18_375,
        round_trip=64_120,
    )
    at = facts.index(over)
    return [*facts[:at], lossy, *facts[at:]]


def _recording_ready(wanted: SampleContext) -> Announcement:
    return recording_ready(
        **_recording(wanted), client_ref=CLIENT_REF, size=109_440, seconds=13.68, **_now(wanted)
    )


def _recording_failed(wanted: SampleContext) -> Announcement:
    return recording_failed(
        **_recording(wanted), client_ref=CLIENT_REF, reason="AUDIO_MISSING", **_now(wanted)
    )


def _recording(wanted: SampleContext) -> dict[str, Any]:
    return {
        "account_id": wanted.account_id,
        "call_id": wanted.call_id,
        "name": f"call_recording_{wanted.call_id}.mp3",
    }


def _now(wanted: SampleContext) -> dict[str, Any]:
    return {"at": wanted.at, "msg_id": wanted.message_ids(wanted.at)}


def _device(online: bool) -> Callable[[SampleContext], Announcement]:
    return lambda wanted: device_state(
        wanted.account_id,
        str(_USER.device_id),
        _USER.number,
        _USER.username,
        online,
        **_now(wanted),
    )


def _auth_failed(wanted: SampleContext) -> Announcement:
    return auth_failed(
        wanted.account_id,
        str(_USER.device_id),
        _USER.number,
        _USER.username,
        "203.0.113.7",
        308,
        **_now(wanted),
        state=DeviceState(
            sip_user=_USER.number,
            username=_USER.username,
            online=True,
            srtp="off",
            since=rfc3339(wanted.at - SECOND),
        ),
    )


def _trunk(up: bool) -> Callable[[SampleContext], Announcement]:
    return lambda wanted: trunk_state(
        wanted.account_id,
        _TRUNK,
        "sample-carrier",
        up,
        **_now(wanted),
        reason=None if up else "UNREACHABLE",
    )


def _webhook(status: Any, reason: str, last_status: int) -> Callable[[SampleContext], Announcement]:
    return lambda wanted: webhook_stopped(
        wanted.account_id,
        "0" * 31 + "5",
        "https://crm.example.com/webhooks",
        status,
        reason=reason,
        last_status=last_status,
        stopped_after=41,
        **_now(wanted),
    )


_ENDPOINTS: dict[str, Callable[[SampleContext], Announcement]] = {
    "RECORDING_READY": _recording_ready,
    "RECORDING_FAILED": _recording_failed,
    "DEVICE_ONLINE": _device(True),
    "DEVICE_OFFLINE": _device(False),
    "AUTH_FAILED": _auth_failed,
    "TRUNK_UP": _trunk(True),
    "TRUNK_DOWN": _trunk(False),
    "WEBHOOK_SUSPENDED": _webhook("suspended", "every attempt failed for 5 days", 500),
    "WEBHOOK_DISABLED": _webhook("disabled", "it answered 410 Gone", 410),
}
"""The samples that need no call to be folded."""
