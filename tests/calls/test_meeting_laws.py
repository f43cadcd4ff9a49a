"""Laws of calls that meet: a small switch makes any interleaving of joins, moves and ends.

The switch knows the truth in a way of its own: who is in which bridge, and which calls have become one.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.replay import NODE, Ledger
from trunkline.calls import facts as f
from trunkline.calls import outcome
from trunkline.calls.facts import AnyFact, Party
from trunkline.events import of_call

SECOND = 1_000_000
BRIDGES = ("b1", "b2", "b3")


class Switch:
    """Legs that start, are moved between bridges, and end; calls merge as the contract says."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND
        self.facts: list[AnyFact] = []
        self.call_of: dict[str, str] = {}  # a leg's call, or the one that it is part of now
        self.linked: dict[str, str] = {}  # the call that a leg began in: what its rows say
        self.bridge: dict[str, str | None] = {}
        self.began: dict[str, tuple[bool, int]] = {}  # a call: has it no outside party, its start
        self.talked: Counter[str] = Counter()
        self.merged: dict[str, str] = {}

    def live(self) -> list[str]:
        return sorted(self.bridge)

    def tick(self, seconds: int) -> None:
        for call_id in {self.call_of[leg] for leg in self.bridge}:
            mine = Counter(
                b for leg, b in self.bridge.items() if b and self.call_of[leg] == call_id
            )
            if any(n > 1 for n in mine.values()):
                self.talked[call_id] += seconds * SECOND
        self.now += seconds * SECOND

    def fact(self, kind: type[AnyFact], leg_id: str, **more: object) -> None:
        self.now += 1
        for call_id in {self.call_of[leg] for leg in self.bridge}:  # a microsecond counts, too
            mine = Counter(
                b for leg, b in self.bridge.items() if b and self.call_of[leg] == call_id
            )
            self.talked[call_id] += any(n > 1 for n in mine.values())
        made = kind(call_id=self.linked[leg_id], at=self.now, leg_id=leg_id, **more)  # type: ignore[call-arg]
        self.facts.append(made)

    def start(self, kind: str, into: str | None) -> None:
        leg_id = f"leg{len(self.linked)}"
        began = into is None
        call_id = leg_id if into is None else self.linked[into]
        self.linked[leg_id] = call_id
        if began:
            self.began[call_id] = (kind == "device", self.now + 1)
        self.fact(
            f.LegStarted,
            leg_id,
            account_id="acct",
            direction="inbound" if began else "outbound",
            endpoint=kind,
            endpoint_kind=kind,
            party=Party(kind, username="u") if kind == "device" else None,
            caller_number="1",
            dialled="2" if began else "",
        )
        if began:
            class_ = "one_one" if kind == "device" else "trunking"
            self.fact(
                f.RouteChosen,
                leg_id,
                class_=class_,
                direction="from_ab",
                dialled="2",
                recording=f"r{leg_id}",
            )
        elif into is not None:
            owner = self.call_of[into]
            self.began[owner] = (self.began[owner][0] and kind == "device", self.began[owner][1])
        self.call_of[leg_id] = leg_id if into is None else self.call_of[into]
        self.bridge[leg_id] = None

    def leave(self, leg_id: str) -> None:
        if (bridge := self.bridge[leg_id]) is not None:
            self.fact(f.LegLeft, leg_id, bridge_id=bridge)
            self.bridge[leg_id] = None

    def join(self, leg_id: str, bridge: str) -> None:
        self.leave(leg_id)
        self.fact(f.LegJoined, leg_id, bridge_id=bridge)
        self.bridge[leg_id] = bridge
        for other in sorted({self.call_of[x] for x, b in self.bridge.items() if b == bridge}):
            self._merge(self.call_of[leg_id], other)

    def _merge(self, one: str, other: str) -> None:
        if one == other:
            return
        goes_on, absorbed = sorted((one, other), key=lambda each: (*self.began[each], each))
        self.merged[absorbed] = goes_on
        self.call_of |= {leg: goes_on for leg, call in self.call_of.items() if call == absorbed}
        self.began[goes_on] = (
            self.began[goes_on][0] and self.began[absorbed][0],
            self.began[goes_on][1],
        )

    def end(self, leg_id: str) -> None:
        self.leave(leg_id)
        self.fact(f.LegHungUp, leg_id, cause=16)
        self.fact(f.LegEnded, leg_id)
        del self.bridge[leg_id]


@st.composite
def lives(draw: st.DrawFn) -> Switch:
    """A switch that has lived for a while, and is empty again."""
    switch = Switch()
    for _ in range(draw(st.integers(2, 25))):
        live = switch.live()
        what = draw(
            st.sampled_from(["call", "dial", "join", "join", "join", "leave", "end", "wait"])
        )
        leg = draw(st.sampled_from(live)) if live else None
        if what == "call" or leg is None:
            switch.start(draw(st.sampled_from(["device", "trunk"])), None)
        elif what == "dial":
            switch.start(draw(st.sampled_from(["device", "trunk"])), leg)
        elif what == "join":
            switch.join(leg, draw(st.sampled_from(BRIDGES)))
        elif what == "leave":
            switch.leave(leg)
        elif what == "end":
            switch.end(leg)
        switch.tick(draw(st.integers(0, 5)))
    for leg in switch.live():
        switch.end(leg)
    return switch


def lived(switch: Switch, batches: list[int]) -> Ledger:
    ledger, facts = Ledger(), list(switch.facts)
    for n in batches:
        ledger.take(*facts[:n])
        facts = facts[n:]
    ledger.take(*facts)
    return ledger


cuts = st.lists(st.integers(1, 6), max_size=30)


@settings(max_examples=300)
@given(lives(), cuts)
def test_every_announced_leg_and_call_ends_once(switch: Switch, batches: list[int]):
    counted = lived(switch, batches).counted()
    expected = {
        (name, leg): 1 for leg in switch.linked for name in ("CHANNEL_CREATE", "CHANNEL_DESTROY")
    }
    expected |= {("CALL_ENDED", call): 1 for call in switch.began}
    expected |= {("CALL_MERGED", call): 1 for call in switch.merged}
    assert {what: n for what, n in counted.items() if what[0] != "CHANNEL_BRIDGE"} == expected


@settings(max_examples=300)
@given(lives(), cuts)
def test_talk_is_the_time_in_which_two_people_were_joined(switch: Switch, batches: list[int]):
    calls = lived(switch, batches).calls
    assert {id_: call.talked for id_, call in calls.items()} == {
        id_: switch.talked[id_] for id_ in switch.began
    }


@given(lives(), cuts)
def test_what_was_absorbed_says_where_it_went(switch: Switch, batches: list[int]):
    calls = lived(switch, batches).calls
    assert {
        id_: call.merged_into for id_, call in calls.items() if call.merged_into
    } == switch.merged
    for call in calls.values():
        record = outcome.record(call)
        assert record.status_detail == "SUCCESS" if call.talked else record.status_detail


@given(lives(), cuts, st.data())
def test_a_replay_changes_nothing(switch: Switch, batches: list[int], data: st.DataObject):
    ledger = lived(switch, batches)
    told, calls = list(ledger.heard), dict(ledger.calls)
    ledger.take(*switch.facts[data.draw(st.integers(0, len(switch.facts))) :])
    assert (ledger.heard, ledger.calls) == (told, calls)


@given(lives(), st.data())
def test_a_log_read_again_amid_it_changes_nothing(switch: Switch, data: st.DataObject):
    expected, ledger = lived(switch, []), Ledger()
    reached = data.draw(st.integers(0, len(switch.facts)))
    ledger.take(*switch.facts[:reached])
    ledger.take(*switch.facts[data.draw(st.integers(0, reached)) :])
    assert (ledger.told(), ledger.calls) == (expected.told(), expected.calls)


@given(lives(), cuts)
def test_every_call_is_its_journal(switch: Switch, batches: list[int]):
    ledger = lived(switch, batches)
    assert ledger.refolded() == ledger.calls
    for facts in ledger.journal.values():
        assert [f.decode(f.encode(fact)) for fact in facts] == facts


@given(lives(), cuts)
def test_a_leg_ends_under_the_call_that_it_is_part_of(switch: Switch, batches: list[int]):
    ledger = lived(switch, batches)
    ends = {
        heard.leg_id: call.id for call, heard in ledger.heard if heard.name == "CHANNEL_DESTROY"
    }
    for name, told in groupby(ledger.heard, key=lambda one: one[1].name):
        if name == "CALL_MERGED":
            for number, (call, heard) in enumerate(told):
                said = of_call.announce(call, heard, NODE, number)
                body = msgspec.json.decode(msgspec.json.encode(said.body))
                assert body["Into-Call-ID"] == switch.merged[call.id]
                assert all(ends[leg] != call.id for leg in body["Leg-Call-IDs"])


def test_calls_of_two_accounts_stay_two():
    ledger = Ledger()
    for number, account in enumerate(("one", "two")):
        leg_id, at = f"leg{number}", (number + 1) * SECOND
        ledger.take(
            f.LegStarted(
                call_id=leg_id,
                at=at,
                leg_id=leg_id,
                account_id=account,
                direction="inbound",
                endpoint="device",
                endpoint_kind="device",
                party=Party("device", username="u"),
                caller_number="1",
                dialled="2",
            ),
            f.LegJoined(call_id=leg_id, at=at + SECOND // 2, leg_id=leg_id, bridge_id="b"),
        )
    assert [call.merged_into for call in ledger.calls.values()] == [None, None]
    assert "CALL_MERGED" not in [heard.name for _, heard in ledger.heard]
