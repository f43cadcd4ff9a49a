from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.events.bindings import (
    EVENTS,
    Binding,
    BindingInvalid,
    BindingSet,
    RoutingKey,
    escaped,
    overlaps,
    parse,
)

NAMES = [(category, name) for category in EVENTS for name in EVENTS[category]]
subjects = st.text("ab1.-_", min_size=1, max_size=6)
keys = st.builds(lambda pair, subject: (*pair, subject), st.sampled_from(NAMES), subjects)
words = st.sampled_from(["*", "#", "call", "device", "CHANNEL_CREATE", "DEVICE_ONLINE", "a%2Eb"])
texts = st.lists(words, min_size=1, max_size=5).map(".".join)


def naive(text: str, key: RoutingKey) -> bool:
    """AMQP's topic rule as a regular expression over the written key."""
    pattern = ""
    for word in text.split("."):
        pattern += r"(\.[^.]+)*" if word == "#" else r"\.[^.]+" if word == "*" else rf"\.{word}"
    return re.fullmatch(pattern, "".join(f".{escaped(part)}" for part in key)) is not None


@given(texts, keys)
def test_a_binding_matches_as_amqp_says(text: str, key: RoutingKey) -> None:
    try:
        matched = parse(text).matches(key)
    except BindingInvalid:
        matched = False

    assert matched == naive(text, key)


@given(keys)
def test_the_written_key_of_an_event_is_the_binding_for_just_that_event(key: RoutingKey) -> None:
    binding = parse(".".join(escaped(part) for part in key))

    assert binding.patterns() == {key}
    assert binding.matches(key)
    assert not binding.matches((key[0], key[1], key[2] + "x"))


def of(key: RoutingKey, wild: list[bool], start: int, end: int) -> Binding:
    """A binding for that key: some segments wild, and a stretch of them (or none) as ``#``."""
    segments = ["*" if each else escaped(part) for part, each in zip(key, wild, strict=True)]
    if start <= end:
        segments[start:end] = ["#"]
    return parse(".".join(segments))


wild = st.lists(st.booleans(), min_size=3, max_size=3)
bindings = st.builds(of, keys, wild, st.integers(0, 3), st.integers(0, 3))


@given(st.lists(bindings, max_size=4), keys)
def test_a_set_of_bindings_matches_what_any_of_them_does(
    several: list[Binding], key: RoutingKey
) -> None:
    assert BindingSet(several).matches(key) == any(each.matches(key) for each in several)
    assert bool(BindingSet(several)) == bool(several)


def test_a_hundred_bindings_cost_an_event_no_more_than_one() -> None:
    """A request may name a hundred, and looks at 5,000 events: that took the server three seconds."""
    texts = [f"#.*.#.*.#.{number}" for number in range(100)]
    started = time.process_time()
    several = BindingSet(map(parse, texts))
    for number in range(5000):
        several.matches(("call", "CHANNEL_CREATE", f"x{number}"))
    assert time.process_time() - started < 0.5


@given(bindings, bindings, keys)
def test_bindings_that_match_one_event_overlap(
    one: Binding, other: Binding, key: RoutingKey
) -> None:
    if one.matches(key) and other.matches(key):
        assert overlaps(one, other)
    assert overlaps(one, other) == overlaps(other, one)
    assert overlaps(one, one)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("call.CHANNEL_CREATE.*", "call.CHANNEL_ANSWER.*", False),
        ("call.CHANNEL_CREATE.*", "call.*.leg1", True),
        ("call.*.leg1", "call.*.leg2", False),
        ("call.#", "device.#", False),
        ("#", "device.DEVICE_ONLINE.phone1", True),
        ("call.CHANNEL_CREATE.a%2Eb", "call.CHANNEL_CREATE.a%2eb", True),
    ],
)
def test_overlapping(one: str, other: str, both: bool) -> None:
    assert overlaps(parse(one), parse(other)) is both


def test_a_binding_of_nothing_but_wildcards_is_read_in_no_time() -> None:
    assert parse(".".join(["#"] * 128)).segments == ("#",)
    with pytest.raises(BindingInvalid):
        parse(".".join([*(["#", "*"] * 60), "x"]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fax.status.*", "no available subscriptions to requested binding"),
        ("call.PARK_PARKED.*", "event PARK_PARKED not supported"),
        ("device.CHANNEL_CREATE.*", "event CHANNEL_CREATE not supported"),
        ("*.NO_SUCH.*", "event NO_SUCH not supported"),
        ("call.CHANNEL_CREATE", "invalid format for call subscription : CHANNEL_CREATE"),
        ("call.CHANNEL_CREATE.a.b", "invalid format for call subscription : CHANNEL_CREATE.a.b"),
        ("call.*.*.*", "invalid format for call subscription : *.*.*"),
        ("call..*", "invalid format for subscription : call..*"),
        ("", "invalid format for subscription : "),
    ],
)
def test_a_binding_that_can_match_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(BindingInvalid) as refused:
        parse(text)

    assert str(refused.value).startswith(message)


def test_an_absurdly_long_binding_is_refused_in_few_words() -> None:
    with pytest.raises(BindingInvalid) as refused:
        parse("call." + "x" * 100_000)

    assert len(str(refused.value)) < 400
