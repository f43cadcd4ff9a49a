"""Laws of the fold: on recorded logs cut, repeated and batched anyhow, and on any facts at all."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.replay import NODE, Ledger, Scenario, names, scenario
from trunkline.calls import cel, outcome
from trunkline.calls import facts as f
from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.fold import Notice, fold, refold
from trunkline.events import of_call

ONCE = ("CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_ANSWER", "CHANNEL_DESTROY", "CALL_ENDED")

scenes = st.sampled_from(names()).map(scenario)


def begun(scene: Scenario) -> Ledger:
    """Before the first row; all signals have been faster."""
    ledger = Ledger()
    ledger.take(*scene.requests)
    for _, signal in scene.signals:
        ledger.signals.hear(signal, False)
    return ledger


def whole(scene: Scenario) -> Ledger:
    ledger = begun(scene)
    ledger.take(*scene.facts(scene.rows))
    ledger.take(*scene.deaths)
    return ledger


@given(scenes, st.data())
def test_a_log_read_again_from_anywhere_changes_nothing(scene: Scenario, data: st.DataObject):
    ledger = begun(scene)
    end = 0
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, end))
        end = data.draw(st.integers(start, len(scene.rows)))
        ledger.take(*scene.facts(scene.rows[start:end]))
        end = max(start, end)
    for row in scene.rows[data.draw(st.integers(0, end)) :]:
        ledger.take(*scene.facts_of(row))
    ledger.take(*scene.deaths)
    expected = whole(scene)
    assert (ledger.calls, ledger.told()) == (expected.calls, expected.told())


@given(scenes, st.data())
def test_repeated_rows_change_nothing(scene: Scenario, data: st.DataObject):
    ledger = begun(scene)
    for row in scene.rows:
        for _ in range(data.draw(st.integers(1, 3))):
            ledger.take(*scene.facts_of(row))
    ledger.take(*scene.deaths)
    expected = whole(scene)
    assert (ledger.calls, ledger.told()) == (expected.calls, expected.told())


@given(scenes, st.data())
def test_batches_can_end_anywhere(scene: Scenario, data: st.DataObject):
    cuts = data.draw(st.sets(st.integers(0, len(scene.rows))))
    ledger = begun(scene)
    for start, end in pairwise(sorted({0, *cuts, len(scene.rows)})):
        ledger.take(*scene.facts(scene.rows[start:end]))
    ledger.take(*scene.deaths)
    expected = whole(scene)
    assert (ledger.calls, ledger.told()) == (expected.calls, expected.told())


@pytest.mark.parametrize("name", names())
def test_the_live_call_is_the_refolded_call_at_every_row(name: str):
    scene = scenario(name)
    ledger = begun(scene)
    for row in scene.rows:
        ledger.take(*scene.facts_of(row))
        assert ledger.refolded() == ledger.calls
    ledger.take(*scene.deaths)
    assert ledger.refolded() == ledger.calls


@pytest.mark.parametrize("name", names())
def test_facts_come_back_from_the_journal_as_they_were(name: str):
    for facts in whole(scenario(name)).journal.values():
        assert [f.decode(f.encode(fact)) for fact in facts] == facts


@given(scenes, st.data())
def test_a_lost_row_never_raises_and_the_end_still_closes_the_call(scene, data: st.DataObject):
    lost = data.draw(st.sets(st.integers(0, len(scene.rows) - 1)))
    ledger = begun(scene)
    ledger.take(*scene.facts(row for n, row in enumerate(scene.rows) if n not in lost))
    for call_id in list(ledger.calls):
        ledger.take(f.EngineDied(call_id=call_id, at=scene.rows[-1].time))
    for call in ledger.calls.values():
        assert call.over
        assert call.withdrawn or truthful(call)
    assert all(count == 1 for (name, _), count in ledger.counted().items() if name in ONCE)


# ---- Any facts at all ------------------------------------------------------------------------------

text = st.sampled_from(["", "a", "101", 'An \\ "x"', "é\n"])
ids = st.sampled_from(["l1", "l2", "l3"])
times = st.integers(1, 60_000_000)
party = st.none() | st.builds(Party, text, st.none() | text, text, st.none() | text)
base = {"call_id": st.just("c"), "at": times}
leg = {**base, "leg_id": ids}
bridged = {**leg, "bridge_id": st.sampled_from(["b1", "b2"])}
started = st.builds(
    f.LegStarted,
    **leg,
    account_id=st.just("acct"),
    direction=st.sampled_from(["inbound", "outbound"]),
    endpoint=text,
    endpoint_kind=st.sampled_from(["device", "trunk"]),
    party=party,
    caller_number=text,
    dialled=text,
)
requested = st.builds(
    f.CallRequested,
    **base,
    account_id=st.just("acct"),
    app_id=text,
    caller=st.builds(Party, text),
    callee=st.builds(Party, text),
    class_=st.sampled_from(["one_one", "trunking"]),
    dialled=text,
    recording=text,
)
routed = st.builds(
    f.RouteChosen,
    **leg,
    class_=st.sampled_from(["one_one", "trunking"]),
    direction=st.sampled_from(["from_ab", "to_ab"]),
    dialled=text,
    callee=party,
    recording=text,
    step_id=text,
    step_kind=st.sampled_from(["", "user", "announcement"]),
)
stepped = st.builds(
    f.StepEntered,
    **leg,
    step_id=text,
    kind=st.sampled_from(["user", "outside", "announcement", "hangup"]),
    party=party,
)
stepped |= st.builds(f.StepLeft, **leg, step_id=text, result=text)
stepped |= st.builds(f.LegPickedUp, **leg)
hung_up = st.builds(
    f.LegHungUp,
    **leg,
    cause=st.integers(-1, 200),
    by=st.booleans(),
    sip_code=st.none() | st.integers(100, 699),
)
simple = st.one_of(
    [
        st.builds(kind, **leg)
        for kind in (f.LegRinging, f.LegAnswered, f.LegHeld, f.LegUnheld, f.LegEnded)
    ]
)
few = st.builds(f.CallEnded, **base) | st.builds(f.EngineDied, **base)
few |= st.builds(f.CallAbsorbed, **base, into_call_id=st.just("other"))
few |= st.builds(f.RequestWithdrawn, **base, reason=text)
plain = (
    started | requested | routed | hung_up | simple | stepped | st.builds(f.LegJoined, **bridged)
)
plain |= st.builds(f.LegLeft, **bridged)
plain |= st.builds(f.LegAccompanied, **leg, by=text) | st.builds(f.LegLeftAlone, **leg)
plain |= st.builds(f.LegFellSilent, **leg, last_sign=times)
merged = st.builds(
    f.CallMerged, **base, other_call_id=text, facts=st.lists(plain, max_size=6).map(tuple)
)
any_facts = st.lists(plain | plain | merged | few, max_size=40)


def truthful(call: Call) -> bool:
    """The record of a finished call does not contradict itself."""
    record = outcome.record(call)
    assert 0 <= record.billing_seconds <= record.duration_seconds
    assert record.ringing_seconds >= 0
    assert record.status_detail in ("SUCCESS", "BUSY", "CANCELLED", "UNSUCCESS", "IVR")
    assert call.merged_into or all(one.ended_at is not None for one in call.legs.values())
    return True


def lived(facts: list[AnyFact]) -> tuple[Call | None, list[Notice]]:
    call, told = None, []
    for n, fact in enumerate(facts):
        call, heard = fold(call, fact)
        told += heard
        for each in heard:
            assert call is not None
            assert of_call.announce(call, each, NODE, n).body.msg_id == str(n)
    return call, told


@given(any_facts)
def test_no_facts_can_make_the_fold_raise_or_lie(facts: list[AnyFact]):
    call, told = lived(facts)
    counted = Counter((heard.name, heard.leg_id) for heard in told)
    assert [what for what, count in counted.items() if what[0] in ONCE and count > 1] == []
    assert call is None or call.withdrawn or not call.over or truthful(call)
    assert ("CALL_ENDED", None) in counted or call is None or not call.ended_at
    assert (("CALL_MERGED", None) in counted) == bool(call and call.merged_into)


@given(any_facts)
def test_only_facts_that_change_something_are_needed(facts: list[AnyFact]):
    call, needed = None, []
    for fact in facts:
        after = fold(call, fact).call
        if after is not call:
            needed.append(fact)
        call = after
    assert refold(needed) == call


@given(st.lists(text, min_size=12, max_size=12), st.sampled_from(list(cel._READERS)), text)
def test_no_row_can_make_the_reader_raise(columns: list[str], event: str, extra: str):
    columns = [event, "1700000000.5", *columns[2:11], extra]
    row = cel.parse(columns)
    assert row is not None
    for raw in (extra, "{}", "[]", "1", '{"extra": 1, "bridge_id": [], "hangupcause": "x"}', "{"):
        cel.read(row._replace(extra=raw), lambda name: None, lambda user: None)
        cel.far_end_refused(row._replace(extra=raw))
        cel.met_leg(row._replace(event="ATTENDEDTRANSFER", extra=raw))


@given(st.text(max_size=12))
def test_a_time_is_a_time_or_there_is_no_row(text: str):
    row = cel.parse(["ANSWER", text, *[""] * 10])
    assert row is None or 0 <= row.time < 10**19


def test_times_are_read_to_the_microsecond():
    columns = ["ANSWER", "1700000000.000045", *[""] * 10]
    assert cel.parse(columns).time == 1_700_000_000_000_045  # type: ignore[union-attr]
    assert cel.parse(["ANSWER", "1700000000.5", *[""] * 10]).time == 1_700_000_000_500_000  # type: ignore[union-attr]
    assert cel.parse(["ANSWER", "²", *[""] * 10]) is None
    assert cel.parse(["ANSWER", "1" * 5000, *[""] * 10]) is None
