from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.live.bindings import EVENTS, BindingInvalid, RoutingKey, escaped, parse

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

    assert binding.exact
    assert binding.matches(key)
    assert not binding.matches((key[0], key[1], key[2] + "x"))


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
