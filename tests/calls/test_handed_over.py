"""Handed over while the other one still rings; and why legs ended, where other legs had other reasons."""

from __future__ import annotations

from typing import Any

import pytest

from calls.replay import Ledger
from trunkline.calls import facts as f
from trunkline.calls import outcome
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.recorded_legs import recording_plan
from trunkline.calls.recording_plan import raw_name
from trunkline.work.follow.fold_batch import Meeting

T0, SECOND = 1_700_000_000_000_000, 1_000_000
OUTSIDE = "0901234599"


def of(call_id: str, leg_id: str, second: float) -> dict[str, Any]:
    return {"call_id": call_id, "leg_id": leg_id, "at": T0 + int(second * SECOND)}


def began(call_id: str, leg_id: str, second: float, user: str, account: str = "acct") -> AnyFact:
    trunk = user == "trunk"
    return f.LegStarted(
        **of(call_id, leg_id, second),
        account_id=account,
        direction="inbound" if call_id == leg_id else "outbound",
        endpoint=user,
        endpoint_kind="trunk" if trunk else "device",
        party=None if trunk else Party(user, username=user),
    )


def dialled(call_id: str, second: float, number: str) -> AnyFact:
    outside = number == OUTSIDE
    return f.RouteChosen(
        **of(call_id, call_id, second),
        class_="trunking" if outside else "one_one",
        direction="from_ab",
        dialled=number,
        recording=call_id,
    )


def joined(call_id: str, leg_id: str, second: float, bridge: str) -> AnyFact:
    return f.LegJoined(**of(call_id, leg_id, second), bridge_id=bridge)


def gone(call_id: str, leg_id: str, second: float, cause: int = 16, **more: Any) -> list[AnyFact]:
    at = of(call_id, leg_id, second)
    return [f.LegHungUp(**at, cause=cause, **more), f.LegEnded(**at)]


def handed_over() -> Ledger:
    """alice talks with bob, and gives him, after 5 seconds, to a number outside that rings."""
    ledger = Ledger()
    ledger.take(
        began("old", "old", 0, "alice"),
        dialled("old", 0.1, "102"),
        began("old", "bob", 0.2, "bob"),
        f.LegAnswered(**of("old", "bob", 1)),
        f.LegAnswered(**of("old", "old", 1)),
        joined("old", "old", 1, "b1"),
        joined("old", "bob", 1, "b1"),
        began("new", "new", 3, "alice"),
        dialled("new", 3.1, OUTSIDE),
        began("new", "far", 3.2, "trunk"),
        f.LegRinging(**of("new", "far", 3.5)),
        Meeting("old", "new", T0 + 5 * SECOND),
        f.LegLeft(**of("old", "old", 5.1), bridge_id="b1"),
        f.LegLeft(**of("old", "bob", 5.1), bridge_id="b1"),
        *gone("old", "old", 5.1),
        *gone("new", "new", 5.1),
    )
    return ledger


def test_the_callee_is_who_was_dialled_and_the_caller_has_a_new_voice() -> None:
    ledger = handed_over()
    ledger.take(
        f.LegAnswered(**of("new", "far", 8)),
        joined("new", "far", 8, "b2"),
        joined("old", "bob", 8, "b2"),
        *gone("new", "far", 10, by=True),
        *gone("old", "bob", 10),
    )
    call = ledger.calls["new"]
    record = outcome.record(call)
    assert (record.status_detail, record.callee.number) == ("SUCCESS", OUTSIDE)
    assert (record.billing_seconds, outcome.record(ledger.calls["old"]).billing_seconds) == (2, 4)
    sides = {part.sources[0].raw: part.side for part in recording_plan(call).parts}
    assert sides == {raw_name("bob"): "left", raw_name("far"): "right"}


def test_where_the_other_one_is_busy_nobody_has_talked() -> None:
    ledger = handed_over()
    ledger.take(*gone("new", "far", 8, 17, by=True, sip_code=486), *gone("old", "bob", 8, 17))
    record = outcome.record(ledger.calls["new"])
    assert (record.status_detail, record.billing_seconds, record.recording) == ("BUSY", 0, "")


def test_a_phone_that_forwarded_does_not_count_among_those_who_are_busy() -> None:
    ledger = Ledger()
    ledger.take(
        began("a", "a", 0, "alice"),
        dialled("a", 0.1, "102"),
        began("a", "bob", 0.2, "bob"),
        *gone("a", "bob", 1, 23, by=True, sip_code=302),
        began("a", "far", 1.1, "trunk"),
        *gone("a", "far", 2, 17, by=True, sip_code=486),
        *gone("a", "a", 2, 17),
    )
    assert outcome.status_detail(ledger.calls["a"]) == "BUSY"


@pytest.mark.parametrize(("taken_over", "cause"), [(True, "LOSE_RACE"), (False, "NO_ANSWER")])
def test_a_clicks_far_leg_in_whose_place_another_stands_lost_the_race(
    taken_over: bool, cause: str
) -> None:
    ledger = Ledger()
    ledger.take(
        f.CallRequested(
            call_id="click",
            at=T0,
            account_id="acct",
            class_="one_one",
            caller=Party("alice"),
            callee=Party("bob"),
            dialled="102",
            app_id="app",
        ),
        began("click", "agent", 0.1, "alice"),
        f.LegAnswered(**of("click", "agent", 1)),
        began("click", "bob", 1.2, "bob"),
        *gone("click", "bob", 3, 0, taken_over=taken_over),
    )
    assert outcome.leg_cause(ledger.calls["click"].legs["bob"]) == cause


def test_a_leg_that_was_picked_up_after_it_had_been_handed_over_lost_the_race() -> None:
    """alice's leg, which dialled it, is gone before anybody answers."""
    ledger = handed_over()
    ledger.take(
        *gone("new", "far", 8, 0, taken_over=True),
        *gone("old", "bob", 9),
    )
    assert outcome.leg_cause(ledger.calls["new"].legs["far"]) == "LOSE_RACE"


def test_who_hangs_up_has_no_cause_of_a_leg_that_was_dialled() -> None:
    ledger = Ledger()
    ledger.take(
        began("a", "a", 0, "alice"),
        f.LegAnswered(**of("a", "a", 1)),
        *gone("a", "a", 3, 17, by=True),
    )
    assert outcome.leg_cause(ledger.calls["a"].legs["a"]) == "NORMAL_CLEARING"


def test_who_comes_to_another_accounts_talk_is_led_astray() -> None:
    ledger = Ledger()
    ledger.take(
        began("a", "a", 0, "alice"),
        began("b", "b", 0, "bob", account="another"),
        joined("a", "a", 1, "bridge"),
        joined("b", "b", 2, "bridge"),
    )
    assert ledger.astray == ["b"]
    assert [call.merged_into for call in ledger.calls.values()] == [None, None]


def test_all_of_a_call_that_is_transferred_to_itself_are_led_astray() -> None:
    ledger = Ledger()
    ledger.take(
        began("a", "a", 0, "alice"),
        began("a", "bob", 0.2, "bob"),
        *gone("a", "bob", 3),
        began("a", "carol", 3.2, "carol"),
        Meeting("a", "a", T0 + 5 * SECOND),
    )
    assert ledger.astray == ["a", "carol"]
