"""The hub alone: any interleaving of commits, publications, subscribes and replays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.bus.local import LocalBus
from trunkline.calls.record import StoredEvent
from trunkline.live.bindings import Binding, parse
from trunkline.live.deps import LiveLimits
from trunkline.live.hub import Client, Hub, TooManySubscriptions, resume_after
from trunkline.live.wire import Wire

from .fakes import ACCOUNT, FakeEvents, Phones

LIMITS = LiveLimits(replay_chunk=3, gather_seconds=0, subscriptions=5)


class Reader:
    """A connection that remembers what it was sent."""

    def __init__(self, once: bool = True) -> None:
        self.once = once
        self.got: list[tuple[str, int, str]] = []
        self.full = False
        self.failed = False

    def send(self, wire: Wire, binding: Binding) -> None:
        self.got.append((wire.event.name, wire.event.seq, binding.text))

    def crowded(self) -> bool:
        return self.full

    async def room(self) -> None:
        while self.full:  # noqa: ASYNC110 (a turn of the loop at a time is what is tested)
            await asyncio.sleep(0)

    def replay_failed(self) -> None:
        self.failed = True

    def seqs(self) -> list[int]:
        return [seq for _, seq, _ in self.got]


class Setting:
    def __init__(self, once: bool = True) -> None:
        self.events, self.bus = FakeEvents(), LocalBus()
        self.phones = Phones(self.events, self.bus)
        self.hub = Hub(self.events, LIMITS)
        self.bus.listen(self.hub.deliver)
        self.reader = Reader(once)
        self.client: Client = self.hub.client(self.reader)

    def subscribe(self, *texts: str, after: int | None = None) -> None:
        self.client.subscribe(ACCOUNT, [parse(text) for text in texts], after)


async def settle() -> None:
    """Let every replay come to its end: each step of one takes a turn of the loop or two."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_only_what_matches_and_only_from_now_on() -> None:
    s = Setting()
    s.phones.say("CHANNEL_CREATE")
    s.subscribe("call.CHANNEL_CREATE.*", "call.CHANNEL_ANSWER.leg9")
    for name, subject in [
        ("CHANNEL_CREATE", "x"),
        ("CHANNEL_ANSWER", "x"),
        ("CHANNEL_ANSWER", "leg9"),
    ]:
        s.phones.say(name, subject)
    s.phones.say("CHANNEL_CREATE", account="c" * 32)

    assert s.reader.seqs() == [2, 4]


@pytest.mark.parametrize(("once", "copies"), [(True, 1), (False, 2)])
async def test_overlapping_bindings(once: bool, copies: int) -> None:
    s = Setting(once)
    s.subscribe("call.*.*", "call.CHANNEL_CREATE.#")
    s.subscribe("call.*.*")
    s.phones.say("CHANNEL_CREATE")

    assert s.reader.seqs() == [1] * copies


async def test_the_bus_repeats_itself_and_leaves_holes() -> None:
    s = Setting()
    s.subscribe("#")
    events = [s.phones.store("CHANNEL_CREATE") for _ in range(6)]
    for batch in ([0], [0, 1], [4], [2, 3], [5], [5]):
        s.bus.publish([events[i] for i in batch])

    assert s.reader.seqs() == [1, 2, 3, 4, 5, 6]


async def test_a_number_that_is_kept_no_more_is_a_gap() -> None:
    s = Setting()
    for _ in range(9):
        s.phones.say("CHANNEL_CREATE")
    s.events.forget(ACCOUNT, upto=5)
    s.subscribe("#", after=2)
    await settle()

    assert [("GAP", 5), *(("CHANNEL_CREATE", n) for n in (6, 7, 8, 9))] == [
        (name, seq) for name, seq, _ in s.reader.got
    ]


async def test_a_log_that_is_kept_no_more_at_all_is_a_gap_and_then_live() -> None:
    s = Setting()
    s.subscribe("device.*.*")
    for _ in range(4):
        s.phones.say("CHANNEL_CREATE")
    s.events.forget(ACCOUNT, upto=4)
    s.subscribe("call.*.*", after=1)
    await settle()
    s.phones.say("CHANNEL_CREATE")

    assert [(name, seq) for name, seq, _ in s.reader.got] == [("GAP", 4), ("CHANNEL_CREATE", 5)]


async def test_a_number_from_the_future_is_just_live() -> None:
    s = Setting()
    s.phones.say("CHANNEL_CREATE")
    s.subscribe("#", after=1000)
    await settle()
    s.phones.say("CHANNEL_CREATE")

    assert s.reader.seqs() == [2]


async def test_subscribes_in_one_go_are_replayed_as_one_in_order() -> None:
    s = Setting()
    for _ in range(4):
        s.phones.say("CHANNEL_CREATE")
        s.phones.say("CHANNEL_ANSWER")
    s.subscribe("call.CHANNEL_ANSWER.*", after=2)
    s.subscribe("call.CHANNEL_CREATE.*", after=2)
    await settle()

    assert s.reader.seqs() == [3, 4, 5, 6, 7, 8]


async def test_a_known_binding_with_an_older_number_brings_only_what_came_before() -> None:
    s = Setting()
    for _ in range(4):
        s.phones.say("CHANNEL_CREATE")
    s.subscribe("#")
    s.phones.say("CHANNEL_CREATE")
    s.subscribe("#", after=1)
    s.phones.say("CHANNEL_CREATE")
    await settle()
    s.phones.say("CHANNEL_CREATE")
    s.subscribe("#", after=1)
    await settle()

    assert s.reader.seqs() == [5, 2, 3, 4, 6, 7]


async def test_a_known_binding_with_an_older_number_while_the_bus_is_behind_the_log() -> None:
    s = Setting()
    s.subscribe("device.*.*")
    event = s.phones.store("CHANNEL_CREATE")
    s.subscribe("call.*.*", after=1)
    s.subscribe("call.*.*", after=0)
    await settle()
    s.bus.publish([event])

    assert s.reader.seqs() == [1]


async def test_a_replay_waits_for_a_reader_that_has_no_room() -> None:
    s = Setting()
    for _ in range(20):
        s.phones.say("CHANNEL_CREATE")
    s.reader.full = True
    s.subscribe("#", after=0)
    await settle()
    waited = s.reader.seqs()
    s.phones.say("CHANNEL_CREATE")
    s.reader.full = False
    await settle()

    assert waited == [1]
    assert s.reader.seqs() == list(range(1, 22))


async def test_the_log_cannot_be_read() -> None:
    s = Setting()
    s.phones.say("CHANNEL_CREATE")
    s.subscribe("#", after=0)
    s.events.after = None  # type: ignore[method-assign, assignment]
    await settle()

    assert s.reader.failed


async def test_limits_and_the_end_of_subscriptions() -> None:
    s = Setting()
    s.subscribe(*(f"call.CHANNEL_CREATE.{n}" for n in range(5)))
    with pytest.raises(TooManySubscriptions):
        s.subscribe("#")
    s.subscribe("call.CHANNEL_CREATE.1")

    assert s.client.unsubscribe(["call.CHANNEL_CREATE.1", "#"]) == ["call.CHANNEL_CREATE.1"]
    assert len(s.client.unsubscribe(None)) == 4
    assert s.client.subscriptions() == []
    assert not s.hub._accounts


async def test_an_event_is_matched_by_binding_and_not_by_subscriber() -> None:
    s = Setting()
    matched = []

    class Counted(Binding, frozen=True):
        def matches(self, key: tuple[str, str, str]) -> bool:
            matched.append(key)
            return super().matches(key)

    for _ in range(50):
        binding = Counted("call.*.*", ("call", "*", "*"))
        s.hub.client(Reader()).subscribe(ACCOUNT, [binding], None)
    s.phones.say("CHANNEL_CREATE")

    assert len(matched) == 1


def test_resuming_never_misses() -> None:
    assert resume_after({"a": 4, "b": 9}, {"a": 7}) == 7
    assert resume_after({"a": 4}, {}) == 4
    assert resume_after({}, {}) == 0


BINDINGS = ["call.CHANNEL_CREATE.*", "call.*.*", "#", "device.*.*"]
NAMES = [("call", "CHANNEL_CREATE"), ("call", "CHANNEL_ANSWER"), ("device", "DEVICE_ONLINE")]
steps = st.one_of(
    st.tuples(st.just("store"), st.sampled_from(NAMES)),
    st.tuples(st.just("publish"), st.integers(0, 3)),
    st.tuples(st.just("turn"), st.integers(1, 4)),
    st.tuples(st.just("full"), st.booleans()),
)


subscribes = st.tuples(
    st.just("subscribe"),
    st.tuples(st.sampled_from(BINDINGS), st.one_of(st.none(), st.integers(0, 15))),
)


class Story:
    """A hub to which things happen in any order, and what its reader must have got of them."""

    def __init__(self, once: bool, early: bool) -> None:
        self.setting = Setting(once)
        self.stored: list[StoredEvent] = []
        self.published = 0
        self.starts: dict[str, int] = {}
        if early:  # the hub then knows the account by what the bus has brought, not by the log
            self.setting.hub.client(Reader()).subscribe(ACCOUNT, [parse("#")], None)

    def store(self, said: tuple[str, str]) -> None:
        category, name = said
        self.stored.append(self.setting.phones.store(name, category=category))

    def publish(self, count: int) -> None:
        """With a repeat of the last one."""
        upto = min(len(self.stored), self.published + count)
        self.setting.bus.publish(self.stored[max(0, self.published - 1) : upto])
        self.published = upto

    def subscribe(self, asked: tuple[str, int | None]) -> None:
        binding, after = asked
        newest = len(self.stored)
        known = self.setting.hub._accounts.get(ACCOUNT)
        head = known.head if known else newest
        self.setting.subscribe(binding, after=after)
        start = self.starts.get(binding, head) if after is None else min(after, newest)
        self.starts[binding] = min(start, self.starts.get(binding, start))

    def full(self, value: bool) -> None:
        self.setting.reader.full = value

    async def turn(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def run(self, script: Sequence[tuple[str, Any]]) -> None:
        for step, value in script:
            done = getattr(self, step)(value)
            if done is not None:
                await done
        self.full(False)
        self.publish(len(self.stored))
        await settle()
        self.setting.client.close()

    def due(self, *texts: str) -> list[int]:
        """The numbers that these bindings should have brought, each once."""
        bindings = [(parse(text), self.starts[text]) for text in texts]
        return [
            event.seq
            for event in self.stored
            if any(
                event.seq > start and binding.matches((event.category, event.name, event.subject))
                for binding, start in bindings
            )
        ]

    def got(self, text: str) -> list[int]:
        return [seq for _, seq, by in self.setting.reader.got if by == text]


@settings(max_examples=300, deadline=None)
@given(
    before=st.lists(st.sampled_from(NAMES), max_size=12),
    unpublished=st.integers(0, 3),
    after=st.one_of(st.none(), st.integers(0, 15)),
    bindings=st.lists(st.sampled_from(BINDINGS), min_size=1, max_size=3, unique=True),
    script=st.lists(steps, max_size=40),
    once=st.booleans(),
    early=st.booleans(),
)
def test_any_interleaving_gives_each_number_once_and_in_order(
    before: Sequence[tuple[str, str]],
    unpublished: int,
    after: int | None,
    bindings: Sequence[str],
    script: Sequence[tuple[str, Any]],
    once: bool,
    early: bool,
) -> None:
    story = Story(once, early)
    beginning = [
        *(("store", said) for said in before),
        ("publish", max(0, len(before) - unpublished)),
        *(("subscribe", (binding, after)) for binding in bindings),
    ]
    asyncio.run(story.run([*beginning, *script]))

    if once:
        assert story.setting.reader.seqs() == story.due(*bindings)
    else:
        for binding in bindings:
            assert story.got(binding) == story.due(binding)


@settings(max_examples=300, deadline=None)
@given(
    script=st.lists(st.one_of(steps, subscribes), max_size=60),
    once=st.booleans(),
    early=st.booleans(),
)
def test_whatever_is_subscribed_when_each_number_comes_once(
    script: Sequence[tuple[str, Any]], once: bool, early: bool
) -> None:
    story = Story(once, early)
    asyncio.run(story.run(script))

    if once:
        assert sorted(story.setting.reader.seqs()) == story.due(*story.starts)
    else:
        for binding in story.starts:
            assert sorted(story.got(binding)) == story.due(binding)
