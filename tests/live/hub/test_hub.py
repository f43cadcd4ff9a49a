"""The hub alone: any interleaving of commits, publications, subscribes and replays."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from at_once import at_once
from trunkline.bus.local import LocalBus
from trunkline.events.bindings import Binding, RoutingKey, parse
from trunkline.events.stored import StoredEvent
from trunkline.live.deps import any_app
from trunkline.live.hub.app_checks import AppChecks
from trunkline.live.hub.command_queue import CommandQueue
from trunkline.live.hub.hub import Client, Hub
from trunkline.live.hub.usage import TooManySubscriptions, Usage
from trunkline.live.hub.wire import Encoding
from trunkline.live.limits import LiveLimits

from ..fakes import ACCOUNT, FakeEvents, Phones, WaitingEvents

LIMITS = LiveLimits(replay_chunk=3, gather_seconds=0, subscriptions=5)


class Reader:
    """A connection that remembers what it was sent: (name, number, binding if it says so)."""

    def __init__(self, once: bool = True) -> None:
        self.once = once
        self.encoding = Encoding.SIO_PACKET if once else Encoding.KAZOO_WS
        self.write: Callable[[Any], None] = self.take
        self.client: Client
        self.got: list[tuple[str, int, str]] = []
        self.full = False
        self.waiting = 0
        self.has_failed = False
        self.cut: int | None = None

    def take(self, frame: bytes | str) -> None:
        self.got.append(read(frame))
        self.waiting += len(frame) if self.full else 0

    def buffered(self) -> int:
        return self.waiting

    def fell_behind(self, resume: int) -> None:
        self.cut = resume

    async def room(self) -> None:
        while self.full:  # noqa: ASYNC110 (a turn of the loop at a time is what is tested)
            await asyncio.sleep(0)

    def failed(self) -> None:
        self.has_failed = True
        self.client.close()

    def fill(self, full: bool) -> None:
        self.full, self.waiting = full, 0
        (self.client.congested if full else self.client.flowing)()

    def upgrade(self) -> None:
        """From polling to WebSocket: another form, another place to write to."""
        if self.once:
            self.encoding = Encoding.SIO_WS
        self.write = lambda frame: self.take(frame)
        self.client.rewired()

    def seqs(self) -> list[int]:
        return [seq for _, seq, _ in self.got]


def read(frame: bytes | str) -> tuple[str, int, str]:
    if isinstance(frame, bytes):
        frame = frame[2 if frame[1] < 126 else 4 :].decode()
    if frame.startswith("42"):
        name, data = json.loads(frame[2:])
        return (name, data.get("Event-Seq", data.get("to")), "")
    kazoo = json.loads(frame)
    data = kazoo["data"]
    return (kazoo["name"], data.get("event_seq", data.get("to")), kazoo["subscribed_key"])


def a_hub(events: FakeEvents, limits: LiveLimits = LIMITS) -> Hub:
    return Hub(events, limits, Usage(limits, lambda: 0), lambda: 0, AppChecks(any_app, 15))


class Setting:
    def __init__(
        self, once: bool = True, limits: LiveLimits = LIMITS, waits: Sequence[int] = ()
    ) -> None:
        self.events, self.bus = WaitingEvents(waits), LocalBus()
        self.phones = Phones(self.events, self.bus)
        self.hub = a_hub(self.events, limits)
        self.bus.listen(self.hub.deliver)
        self.reader = Reader(once)
        self.client = self.connect(self.reader)

    def connect(self, reader: Reader) -> Client:
        reader.client = self.hub.client(reader)
        return reader.client

    def subscribe(self, *texts: str, after: int | None = None) -> None:
        at_once(self.client.subscribe(ACCOUNT, [parse(text) for text in texts], after, "app1"))

    def is_fast(self) -> bool:
        """Does the account know the reader by nothing but its write?"""
        groups = self.hub._accounts[ACCOUNT].groups._by_text.values()
        return not any(group.slow for group in groups)


async def settle(turns: int = 200) -> None:
    """Let every replay come to its end: each step of one takes a turn of the loop or two."""
    for _ in range(turns):
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

    await settle()
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
    s.reader.fill(True)
    s.subscribe("#", after=0)
    await settle()
    waited = s.reader.seqs()
    s.phones.say("CHANNEL_CREATE")
    s.reader.fill(False)
    await settle()

    assert waited == []
    assert s.reader.seqs() == list(range(1, 22))


async def test_the_log_cannot_be_read() -> None:
    s = Setting()
    s.phones.say("CHANNEL_CREATE")
    s.subscribe("#", after=0)
    s.events.after = None  # type: ignore[method-assign, assignment]
    await settle()

    assert s.reader.has_failed


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


async def test_one_more_subscriber_costs_one_more_write_and_nothing_else() -> None:
    s = Setting()
    matched = []

    class Counted(Binding, frozen=True):
        def matches(self, key: RoutingKey) -> bool:
            matched.append(key)
            return super().matches(key)

    readers = [Reader() for _ in range(50)]
    for n, reader in enumerate(readers):
        bindings = [Counted("call.*.*", ("call", "*", "*")), parse(f"device.*.{n}")]
        at_once(s.connect(reader).subscribe(ACCOUNT, bindings, None))
    s.phones.say("CHANNEL_CREATE")

    assert matched == []
    assert s.is_fast()
    assert [reader.seqs() for reader in readers] == [[1]] * 50


@pytest.mark.parametrize(
    ("once", "bindings", "fast"),
    [
        (True, ["call.CHANNEL_CREATE.*", "call.CHANNEL_ANSWER.*", "device.#"], True),
        (True, ["call.CHANNEL_CREATE.*", "call.*.leg1"], False),
        (False, ["call.CHANNEL_CREATE.*", "call.*.leg1"], True),
    ],
)
async def test_who_is_on_the_fast_path(once: bool, bindings: list[str], fast: bool) -> None:
    s = Setting(once)
    s.subscribe(*bindings)

    assert s.is_fast() is fast
    s.client.unsubscribe(bindings[1:])
    assert s.is_fast()


async def test_a_replay_a_congested_reader_and_an_upgrade_come_back_to_the_fast_path() -> None:
    s = Setting()
    for _ in range(5):
        s.phones.say("CHANNEL_CREATE")
    s.subscribe("call.*.*", after=0)
    replaying = s.is_fast()
    await settle()
    live = s.is_fast()
    s.reader.fill(True)
    congested = s.is_fast()
    s.phones.say("CHANNEL_CREATE")
    s.reader.fill(False)
    s.reader.upgrade()
    s.phones.say("CHANNEL_CREATE")

    assert (replaying, live, congested, s.is_fast()) == (False, True, False, True)
    assert s.reader.seqs() == [1, 2, 3, 4, 5, 6, 7]


async def test_a_reader_that_falls_behind_is_cut_off_with_the_number_to_resume_after() -> None:
    s = Setting(limits=LiveLimits(buffered_bytes=1000, behind_seconds=0))
    quick = Reader()
    at_once(s.connect(quick).subscribe(ACCOUNT, [parse("#")], None))
    s.phones.say("CHANNEL_CREATE")
    s.subscribe("#")
    s.reader.fill(True)
    while s.reader.cut is None:
        s.phones.say("CHANNEL_CREATE")
    s.phones.say("CHANNEL_CREATE")

    assert s.reader.cut == s.reader.seqs()[-1]
    assert s.reader.seqs() == list(range(2, s.reader.cut + 1))
    assert quick.seqs() == list(range(1, s.reader.cut + 2))
    assert s.client.subscriptions() == []


@pytest.mark.parametrize("once", [True, False])
async def test_a_burst_waits_in_the_log_for_who_has_had_no_time_to_read_it(once: bool) -> None:
    """As after an outage: a thousand events come before anybody can take one."""
    s = Setting(once, dataclasses.replace(LIMITS, buffered_bytes=1000))
    s.subscribe("call.*.*", "device.*.*")
    s.reader.fill(True)
    for _ in range(500):
        s.phones.say("CHANNEL_CREATE")
        s.phones.say("DEVICE_ONLINE", category="device")
    waiting, fast = s.reader.waiting, s.is_fast()
    s.reader.fill(False)
    await settle(2000)
    s.phones.say("CHANNEL_CREATE")

    assert waiting < 3000
    assert (s.reader.cut, fast, s.is_fast()) == (None, False, True)
    assert s.reader.seqs() == list(range(1, 1002))


async def test_who_makes_no_room_is_cut_off_though_nothing_more_is_written() -> None:
    s = Setting(limits=dataclasses.replace(LIMITS, buffered_bytes=1000, behind_seconds=0.05))
    s.subscribe("#")
    s.reader.fill(True)
    while s.reader.cut is None:
        s.phones.say("CHANNEL_CREATE")
        await asyncio.sleep(0.01)

    assert s.reader.cut == s.reader.seqs()[-1]
    assert s.reader.seqs() == list(range(1, s.reader.cut + 1))


async def test_a_reader_that_cannot_be_written_to_is_let_go_and_nobody_else_minds() -> None:
    s = Setting()
    readers = [Reader() for _ in range(3)]
    for reader in readers:
        at_once(s.connect(reader).subscribe(ACCOUNT, [parse("#")], None))
    readers[1].write = None  # type: ignore[assignment]
    readers[1].client.rewired()
    s.phones.say("CHANNEL_CREATE")
    s.phones.say("CHANNEL_CREATE")

    assert [reader.seqs() for reader in readers] == [[1, 2], [], [1, 2]]
    assert [reader.has_failed for reader in readers] == [False, True, False]


async def test_a_write_that_congests_its_reader_amid_a_delivery() -> None:
    for once in (True, False):
        s = Setting(once)
        s.subscribe("call.*.*", "device.*.*")

        def write(frame: bytes | str, reader: Reader = s.reader) -> None:
            reader.take(frame)
            reader.fill(not reader.full)

        s.reader.write = write
        s.client.rewired()
        for _ in range(6):
            s.phones.say("CHANNEL_CREATE")
            s.phones.say("DEVICE_ONLINE", category="device")

        assert s.reader.seqs() == list(range(1, 13))


async def test_the_number_to_resume_after() -> None:
    s = Setting()
    nothing = s.client.resume_after()
    for _ in range(4):
        s.phones.say("CHANNEL_CREATE")
    s.subscribe("call.CHANNEL_ANSWER.*")
    live = s.client.resume_after()
    s.phones.say("CHANNEL_CREATE")
    later = s.client.resume_after()
    s.subscribe("device.*.*", after=2)
    replaying = s.client.resume_after()
    await settle()

    assert (nothing, live, later, replaying, s.client.resume_after()) == (None, 4, 5, 2, 5)


async def test_a_log_that_fails_at_a_subscribe_leaves_nothing_behind() -> None:
    s = Setting()
    good = s.events.bounds
    s.events.bounds = None  # type: ignore[method-assign, assignment]
    with pytest.raises(TypeError):
        s.subscribe("#", after=3)
    s.events.bounds = good  # type: ignore[method-assign]

    assert s.client.resume_after() is None
    assert not s.hub._accounts
    assert len(s.hub.usage) == 0


async def test_a_client_that_leaves_takes_its_counts_along() -> None:
    s = Setting()
    s.subscribe("call.*.*", "device.*.*", "call.CHANNEL_CREATE.x")
    s.subscribe("call.*.*", after=0)
    s.client.unsubscribe(["device.*.*"])
    with pytest.raises(TooManySubscriptions):
        s.hub.usage.check_subscriptions("app1", LIMITS.subscriptions_per_app - 1)
    s.hub.usage.check_subscriptions("app1", LIMITS.subscriptions_per_app - 2)
    s.client.close()

    assert len(s.hub.usage) == 0
    assert not s.hub._accounts


BINDINGS = ["call.CHANNEL_CREATE.*", "call.*.*", "#", "device.*.*"]
NAMES = [("call", "CHANNEL_CREATE"), ("call", "CHANNEL_ANSWER"), ("device", "DEVICE_ONLINE")]
steps = st.one_of(
    st.tuples(st.just("store"), st.sampled_from(NAMES)),
    st.tuples(st.just("publish"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.integers(1, 3)),
    st.tuples(st.just("turn"), st.integers(1, 4)),
    st.tuples(st.just("full"), st.booleans()),
    st.tuples(st.just("upgrade"), st.none()),
)
unsubscribes = st.tuples(st.just("unsubscribe"), st.sampled_from(BINDINGS))
at_once_or_slowly = st.one_of(
    st.just(()), st.lists(st.integers(0, 5), min_size=1, max_size=7).map(tuple)
)
"""The turns of the loop that each read of the log takes."""


subscribes = st.tuples(
    st.just("subscribe"),
    st.tuples(st.sampled_from(BINDINGS), st.one_of(st.none(), st.integers(0, 15))),
)


class Story:
    """A hub to which things happen in any order, and what its reader must have got of them."""

    def __init__(
        self,
        once: bool,
        early: bool,
        buffered: int = 300,
        waits: Sequence[int] = (),
        behind: float = 1000,
    ) -> None:
        limits = dataclasses.replace(LIMITS, buffered_bytes=buffered, behind_seconds=behind)
        self.setting = Setting(once, limits, waits)
        self.stored: list[StoredEvent] = []
        self.published = 0
        self.starts: dict[str, int] = {}
        self.command_queue = CommandQueue(10**6)
        self.resuming: int | None = None
        self.early = early

    def store(self, said: tuple[str, str]) -> None:
        category, name = said
        self.stored.append(self.setting.phones.store(name, category=category))

    def publish(self, count: int) -> None:
        """With a repeat of the last one."""
        upto = min(len(self.stored), self.published + count)
        self.setting.bus.publish(self.stored[max(0, self.published - 1) : upto])
        self.published = upto

    def lose(self, count: int) -> None:
        """The bus leaves some out; the newest is always told of in the end."""
        self.published = min(len(self.stored), self.published + count)

    def subscribe(self, asked: tuple[str, int | None]) -> None:
        self.subscribe_all(((asked[0],), asked[1]))

    def subscribe_all(self, asked: tuple[Sequence[str], int | None]) -> None:
        """In its turn, as a connection does it."""
        client = self.setting.client
        self.command_queue.take(lambda: self._subscribe(client, *asked))

    async def _subscribe(self, client: Client, texts: Sequence[str], after: int | None) -> None:
        if after is not None:
            after = min(after, len(self.stored))
        await client.subscribe(ACCOUNT, [parse(text) for text in texts], after, "app1")
        if client._closed:
            return
        head = self.setting.hub._accounts[ACCOUNT].head
        for text in texts:
            start = self.starts.get(text, head) if after is None else after
            self.starts[text] = min(start, self.starts.get(text, start))
        self.resuming = None

    def unsubscribe(self, binding: str) -> None:
        client = self.setting.client
        self.command_queue.take(lambda: self._unsubscribe(client, binding))

    async def _unsubscribe(self, client: Client, binding: str) -> None:
        client.unsubscribe([binding])
        self.starts.pop(binding, None)

    def full(self, value: bool) -> None:
        self.setting.reader.fill(value)

    def upgrade(self, _: None) -> None:
        self.setting.reader.upgrade()

    def come_back(self) -> None:
        """A reader that was cut off connects again, and resumes."""
        reader = self.setting.reader
        if reader.cut is None:
            return
        after = reader.cut if self.resuming is None else min(self.resuming, reader.cut)
        self.resuming = after
        reader.cut, reader.full, reader.waiting = None, False, 0
        self.setting.client = self.setting.connect(reader)
        self.command_queue.close()
        self.command_queue = CommandQueue(10**6)
        self.subscribe_all((list(self.starts), after))

    async def turn(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def run(self, script: Sequence[tuple[str, Any]]) -> None:
        if self.early:  # the hub then knows the account by what the bus has brought, not by the log
            await self.setting.connect(Reader()).subscribe(ACCOUNT, [parse("#")], None)
        for step, value in script:
            done = getattr(self, step)(value)
            if done is not None:
                await done
            self.come_back()
        await settle()
        self.come_back()
        self.full(False)
        self.publish(len(self.stored))
        await settle(1000)
        self.setting.client.close()
        assert self.setting.reader.cut is None

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
        """What the binding brought; to a reader that is not told, what it could have brought."""
        if not self.setting.reader.once:
            return [seq for _, seq, by in self.setting.reader.got if by == text]
        names = {event.seq: event for event in self.stored}
        keys = {n: (event.category, event.name, event.subject) for n, event in names.items()}
        return [seq for seq in self.setting.reader.seqs() if parse(text).matches(keys[seq])]


@settings(max_examples=300, deadline=None)
@given(
    before=st.lists(st.sampled_from(NAMES), max_size=12),
    unpublished=st.integers(0, 3),
    after=st.one_of(st.none(), st.integers(0, 15)),
    bindings=st.lists(st.sampled_from(BINDINGS), min_size=1, max_size=3, unique=True),
    script=st.lists(steps, min_size=15, max_size=40),
    once=st.booleans(),
    early=st.booleans(),
    buffered=st.sampled_from([0, 300, 1000, 10**9]),
    waits=at_once_or_slowly,
    behind=st.sampled_from([0, 1000]),
)
def test_any_interleaving_gives_each_number_once_and_in_order(
    before: Sequence[tuple[str, str]],
    unpublished: int,
    after: int | None,
    bindings: Sequence[str],
    script: Sequence[tuple[str, Any]],
    once: bool,
    early: bool,
    buffered: int,
    waits: Sequence[int],
    behind: float,
) -> None:
    story = Story(once, early, buffered, waits, behind)
    beginning = [
        *(("store", said) for said in before),
        ("publish", max(0, len(before) - unpublished)),
        ("subscribe_all", (bindings, after)),
    ]
    asyncio.run(story.run([*beginning, *script]))

    if once:
        assert story.setting.reader.seqs() == story.due(*bindings)
    else:
        for binding in bindings:
            assert story.got(binding) == story.due(binding)


@settings(max_examples=300, deadline=None)
@given(
    script=st.lists(st.one_of(steps, subscribes), min_size=20, max_size=60),
    once=st.booleans(),
    early=st.booleans(),
    waits=at_once_or_slowly,
)
def test_whatever_is_subscribed_when_each_number_comes_once(
    script: Sequence[tuple[str, Any]], once: bool, early: bool, waits: Sequence[int]
) -> None:
    story = Story(once, early, waits=waits)
    asyncio.run(story.run(script))

    if once:
        assert sorted(story.setting.reader.seqs()) == story.due(*story.starts)
    else:
        for binding in story.starts:
            assert sorted(story.got(binding)) == story.due(binding)


@settings(max_examples=300, deadline=None)
@given(
    script=st.lists(st.one_of(steps, subscribes, unsubscribes), min_size=20, max_size=60),
    once=st.booleans(),
    early=st.booleans(),
    waits=at_once_or_slowly,
)
def test_whatever_else_comes_and_goes_a_binding_brings_each_number_once_and_in_order(
    script: Sequence[tuple[str, Any]], once: bool, early: bool, waits: Sequence[int]
) -> None:
    steady = "call.CHANNEL_CREATE.#"
    story = Story(once, early, waits=waits)
    asyncio.run(story.run([("subscribe", (steady, 0)), *script]))

    assert story.got(steady) == story.due(steady)
    assert len(story.setting.hub.usage) == (1 if early else 0)


@settings(max_examples=200, deadline=None)
@given(
    script=st.lists(st.one_of(steps, subscribes), min_size=20, max_size=60),
    once=st.booleans(),
    buffered=st.sampled_from([0, 300, 1000]),
    waits=at_once_or_slowly,
)
def test_who_is_cut_off_at_any_time_and_resumes_misses_nothing(
    script: Sequence[tuple[str, Any]], once: bool, buffered: int, waits: Sequence[int]
) -> None:
    story = Story(once, early=False, buffered=buffered, waits=waits, behind=0)
    asyncio.run(story.run(script))

    for binding in story.starts:
        assert set(story.got(binding)) >= set(story.due(binding))
