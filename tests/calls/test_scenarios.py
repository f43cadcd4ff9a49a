"""Real recorded logs, and the calls, records and events that they must give."""

from __future__ import annotations

import msgspec
import pytest

from calls.expected import EVENTS, RECORDS
from calls.replay import NODE, Ledger, Scenario, folded, names, scenario
from trunkline.calls import outcome
from trunkline.calls.call import Call
from trunkline.calls.fold import Notice
from trunkline.calls.record import CallRecord
from trunkline.calls.times import GREGORIAN
from trunkline.events import of_call
from trunkline.history.row import shown

ONCE = ("CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_DESTROY", "CHANNEL_PROGRESS", "CALL_ENDED")


@pytest.fixture(params=names())
def scene(request: pytest.FixtureRequest) -> Scenario:
    return scenario(request.param)


def the_record(ledger: Ledger) -> CallRecord:
    return outcome.record(the_call(ledger))


def the_call(ledger: Ledger) -> Call:
    """The call, or the one that went on."""
    (call,) = (call for call in ledger.calls.values() if call.merged_into is None)
    return call


def test_every_recording_has_an_expectation() -> None:
    assert names() == sorted(RECORDS)
    assert set(EVENTS) <= set(RECORDS)


def test_the_record_says_what_happened(scene: Scenario) -> None:
    record = the_record(folded(scene))
    actual = (
        record.class_,
        record.direction,
        record.status_detail,
        record.hangup_cause,
        record.billing_seconds > 0,
    )
    assert actual == RECORDS[scene.name]


@pytest.mark.parametrize("name", EVENTS)
def test_the_events_come_in_their_order(name: str) -> None:
    assert ",".join(folded(scenario(name)).told()) == EVENTS[name]


def test_each_leg_begins_and_ends_once(scene: Scenario) -> None:
    counted = folded(scene).counted()
    assert [what for what, count in counted.items() if what[0] in ONCE and count > 1] == []
    created = {leg for name, leg in counted if name == "CHANNEL_CREATE"}
    assert {leg for name, leg in counted if name == "CHANNEL_DESTROY"} == created


def test_durations_agree(scene: Scenario) -> None:
    record = the_record(folded(scene))
    assert 0 <= record.billing_seconds <= record.duration_seconds
    assert 0 <= record.ringing_seconds <= record.duration_seconds
    answered = record.answered_at
    assert answered is None or record.started_at <= answered <= record.ended_at


def test_there_is_a_recording_where_two_people_talked(scene: Scenario) -> None:
    record = the_record(folded(scene))
    assert bool(record.recording) == (record.status_detail == "SUCCESS")


def test_every_payload_has_what_the_contract_promises(scene: Scenario) -> None:
    for number, (call, heard) in enumerate(folded(scene).heard):
        said = of_call.announce(call, heard, NODE, number)
        body = msgspec.json.decode(msgspec.json.encode(said.body))
        assert heard.name == "CALL_ENDED" or None not in body.values()
        assert body["Custom-Channel-Vars"]["Call-Interaction-ID"] == call.id
        assert body["Timestamp"] == heard.at // 1_000_000 + GREGORIAN
        if heard.name in ("CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_DESTROY"):
            assert all(body[key].count("@") == 1 for key in ("From", "To", "Request"))
        if heard.name == "CHANNEL_DESTROY":
            seconds = (body[f"{each}-Seconds"] for each in ("Billing", "Duration"))
            billed, lasted = map(int, seconds)
            assert 0 <= billed <= lasted
            assert body["Hangup-Cause"]
        if heard.name == "CALL_ENDED":
            assert body["call_id"] == shown(outcome.record(call)).call_id


def test_a_leg_that_was_cancelled_has_no_sip_code() -> None:
    call = folded(scenario("internal_cancelled")).calls.popitem()[1]
    assert [leg.sip_code for leg in call.legs.values()] == [487, None]


def test_phones_that_lost_the_race_say_so() -> None:
    call = folded(scenario("inbound_race")).calls.popitem()[1]
    causes = [outcome.leg_cause(leg) for leg in call.legs.values()]
    assert sorted(causes) == ["LOSE_RACE", "NORMAL_CLEARING", "NORMAL_CLEARING"]


def test_who_answered_first_is_the_callee_of_a_transferred_call() -> None:
    assert the_record(folded(scenario("blind_transfer"))).callee.username == "answers"


def test_who_was_sent_on_is_the_caller_of_whom_the_call_goes_to() -> None:
    call = folded(scenario("blind_transfer")).calls.popitem()[1]
    leg = next(leg for leg in call.legs.values() if leg.endpoint_kind == "trunk")
    body = of_call.announce(call, Notice("CHANNEL_CREATE", leg.id, leg.started_at), NODE, 1).body
    said = msgspec.json.decode(msgspec.json.encode(body))
    assert (said["Caller-ID-Number"], said["From"]) == ("201", "201@trunkline")


def test_an_attended_transfer_joins_those_who_are_left() -> None:
    ledger = folded(scenario("attended_transfer"))
    call, record = the_call(ledger), the_record(ledger)
    assert (call.class_, record.callee.number) == ("trunking", "84901230200")
    assert len(call.legs) == 4
    transferred, target = (
        next(
            leg
            for leg in call.legs.values()
            if leg.endpoint_kind == kind and leg.direction == "outbound"
        )
        for kind in ("device", "trunk")
    )
    assert (transferred.joined_with, target.joined_with) == ((target.id,), (transferred.id,))
    assert (transferred.role, target.role) == ("consulted", "dialled")


def test_the_call_that_was_absorbed_is_told_of_and_has_its_own_talk() -> None:
    ledger = folded(scenario("attended_transfer"))
    goes_on = the_call(ledger)
    (absorbed,) = (call for call in ledger.calls.values() if call.merged_into)
    record = outcome.record(absorbed)
    assert (record.class_, record.callee.username, record.merged_into) == (
        "one_one",
        "answers",
        goes_on.id,
    )
    assert record.billing_seconds == 2  # 1.2 s of talk until the transfer
    told = [heard.name for call, heard in ledger.heard if call.id == absorbed.id]
    assert told[-2:] == ["CALL_MERGED", "CALL_ENDED"]
    assert goes_on.talked > 1_500_000


def test_a_blind_transfer_names_the_number_that_it_went_to() -> None:
    ledger = folded(scenario("blind_transfer"))
    call = the_call(ledger)
    trunk = [leg.dialled for leg in call.legs.values() if leg.endpoint_kind == "trunk"]
    assert (call.dialled, trunk) == ("201", ["84901230200"])


def test_the_engines_death_ends_a_call_at_its_last_sign_of_life() -> None:
    scene = scenario("engine_dies_in_talk")
    record = the_record(folded(scene))
    assert record.engine_died
    assert record.ended_at == max(scene.deaths[0].at, scene.rows[-1].time)


def test_holding_is_told() -> None:
    for name, leg in (("held", 1), ("held_by_the_callee", 2)):
        assert f"CHANNEL_HOLD {leg}" in folded(scenario(name)).told()
    assert "CHANNEL_UNHOLD 1" in folded(scenario("held")).told()
