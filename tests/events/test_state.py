"""The state in every event: what the fold makes of the facts up to then, and nothing else."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any

import msgspec
import pytest

from calls.replay import NODE, Ledger, Scenario, folded, names, scenario
from trunkline.calls import facts as f
from trunkline.calls import outcome
from trunkline.calls.fold import fold
from trunkline.calls.times import rfc3339
from trunkline.events.of_call import announce
from trunkline.events.payloads import AnyEvent
from trunkline.events.state import call_state, call_status
from trunkline.events.stored import StoredEvent
from trunkline.store.common.numbering import numbered

FORWARD = ("requested", "started", "ringing", "answered", "talking", "ended")
EVENTS: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


@pytest.fixture(params=names())
def scene(request: pytest.FixtureRequest) -> Scenario:
    return scenario(request.param)


def stored(ledger: Ledger) -> list[StoredEvent]:
    """All events of the scene, numbered as the database does it."""
    return [
        numbered(announce(call, heard, NODE, seq), seq)
        for seq, (call, heard) in enumerate(ledger.heard, start=1)
    ]


def bodies(ledger: Ledger) -> list[dict[str, Any]]:
    return [msgspec.json.decode(event.body) for event in stored(ledger)]


def refolded(ledger: Ledger, call_id: str) -> list[dict[str, Any]]:
    """The call's state after each fact of its journal, once for each event that the fact gives."""
    call, states = None, []
    for fact in ledger.journal.get(call_id, []):
        call, heard = fold(call, fact)
        states += [msgspec.to_builtins(call_state(call)) for _ in heard if call]
    return states


def test_the_state_of_an_event_is_what_its_facts_make(scene: Scenario) -> None:
    ledger = folded(scene)
    by_call: dict[str, list[dict[str, Any]]] = {}
    for body in bodies(ledger):
        by_call.setdefault(body["call_id"], []).append(body["State"])

    assert by_call == {call_id: refolded(ledger, call_id) for call_id in by_call}


def test_a_leg_names_its_trunk_as_the_trunks_own_events_do() -> None:
    (call,) = folded(scenario("outbound_answered")).calls.values()
    (leg,) = (leg for leg in call.legs.values() if leg.endpoint_kind == "trunk")
    (told,) = (leg for leg in call_state(call).legs if leg.endpoint_type == "trunk")

    assert leg.endpoint == f"trunk-{told.endpoint}"


def test_the_last_state_is_the_record(scene: Scenario) -> None:
    ledger = folded(scene)
    last = next(call for call, heard in reversed(ledger.heard) if heard.name == "CALL_ENDED")
    record, state = outcome.record(last), bodies(ledger)[-1]["State"]
    told = ("status_detail", "hangup_cause", "duration_seconds", "billing_seconds", "did_number")

    assert state["status"] == "ended"
    assert {key: state[key] for key in told} == {key: getattr(record, key) for key in told}
    assert (state["id"], state["class"], state["direction"], state["client_ref"]) == (
        record.call_id,
        record.class_,
        record.direction,
        record.client_ref,
    )
    assert (state["recording"] or "") == record.recording
    assert state["ended_at"] == rfc3339(record.ended_at)
    assert state["callee"]["number"] == record.callee.number
    assert {leg["status"] for leg in state["legs"]} == {"ended"}


def test_a_status_only_goes_forward(scene: Scenario) -> None:
    told = sorted(bodies(folded(scene)), key=lambda body: body["call_id"])  # a stable sort
    for _, of_call in groupby(told, key=lambda body: body["call_id"]):
        states = [body["State"]["status"].replace("held", "talking") for body in of_call]
        reached = [FORWARD.index(status) for status in states]
        assert reached == sorted(reached)


def test_what_has_happened_stays_so(scene: Scenario) -> None:
    for before, after in pairwise(bodies(folded(scene))):
        if before["call_id"] != after["call_id"]:
            continue
        for leg in before["State"]["legs"]:
            (now,) = (each for each in after["State"]["legs"] if each["id"] == leg["id"])
            for key in ("started_at", "ringing_at", "answered_at", "ended_at"):
                assert leg[key] in (None, now[key])


def test_every_event_is_of_its_kind_and_says_when_and_of_which_call(scene: Scenario) -> None:
    ledger = folded(scene)
    for (call, heard), event in zip(ledger.heard, stored(ledger), strict=True):
        body = msgspec.json.decode(event.body)
        assert msgspec.json.encode(EVENTS.decode(event.body)) == event.body
        assert (body["Event-Name"], body["call_id"]) == (heard.name, call.id)
        assert (body["Event-Time"], body["Event-Seq"]) == (rfc3339(heard.at), event.seq)
        assert body.get("clientRef") == call.client_ref
        assert list(body)[-1] == "Event-Seq"


def test_a_held_call_says_so_and_who_holds() -> None:
    told = bodies(folded(scenario("held")))
    (held,) = (body["State"] for body in told if body["Event-Name"] == "CHANNEL_HOLD")
    (back,) = (body["State"] for body in told if body["Event-Name"] == "CHANNEL_UNHOLD")

    assert (held["status"], back["status"]) == ("held", "talking")
    assert [leg["status"] for leg in held["legs"]] == ["held", "answered"]


def test_those_who_talk_name_each_other() -> None:
    told = bodies(folded(scenario("click_answered")))
    states = [body["State"] for body in told if body["Event-Name"] == "CHANNEL_BRIDGE"]
    agent, far = states[-1]["legs"]

    assert (agent["joined_with"], far["joined_with"]) == (far["id"], agent["id"])
    assert far["party"] == {"number": far["party"]["number"], "type": "realnumber"}
    assert agent["party"]["username"] == "agent"


def test_a_call_that_was_only_asked_for() -> None:
    scene = scenario("click_answered")
    call, _ = fold(None, scene.requests[0])
    assert call
    withdrawn, _ = fold(call, f.RequestWithdrawn(call_id=call.id, at=call.started_at, reason=""))
    assert withdrawn

    assert (call_status(call), call_status(withdrawn)) == ("requested", "ended")
    assert call_state(withdrawn).ended_at is None


def test_times_are_rounded_down_to_milliseconds() -> None:
    assert rfc3339(1_700_000_000_000_999) == "2023-11-14T22:13:20.000Z"
    assert rfc3339(1_700_000_000_999_999) == "2023-11-14T22:13:20.999Z"
