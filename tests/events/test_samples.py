"""Sample events: whole, of the real kinds, and marked as what they are."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from trunkline.calls.times import rfc3339
from trunkline.events.of_call import Node
from trunkline.events.payloads import KINDS, AnyEvent
from trunkline.events.samples import NAMES, SampleContext, SampleUnknown, samples
from trunkline.events.stored import Announcement

AT = 1_800_000_000_000_000
CALL = "test-0123"


def made(name: str) -> list[Announcement]:
    ids = itertools.count(AT)
    place = Node("trunkline", "tl1")
    return samples(name, SampleContext("a" * 32, CALL, AT, place, lambda at: next(ids)))


@pytest.mark.parametrize("name", KINDS)
def test_every_event_has_a_sample_of_its_kind(name: str) -> None:
    [sample] = made(name)

    body = msgspec.json.decode(msgspec.json.encode(sample.body), type=AnyEvent)

    assert (type(body), body.test) == (KINDS[name], True)
    assert (sample.name, sample.at, body.event_time) == (name, AT, rfc3339(AT))
    assert sample.call_id in (None, CALL)


def test_a_whole_call_is_in_order() -> None:
    call = made("call")

    assert [sample.name for sample in call] == [
        *("CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_ANSWER") * 2,
        *("CHANNEL_BRIDGE", "CHANNEL_BRIDGE", "CHANNEL_HOLD", "CHANNEL_UNHOLD"),
        *("CHANNEL_DESTROY", "CHANNEL_DESTROY", "CALL_ENDED", "RECORDING_READY"),
    ]
    times = [sample.at for sample in call]
    assert times == sorted(times)
    assert times[-1] == AT
    assert len({sample.subject for sample in call}) == 2
    assert {sample.call_id for sample in call} == {CALL}
    ids = [sample.body.msg_id for sample in call]  # type: ignore[union-attr]
    assert len(set(ids)) == len(call)


def test_the_state_of_a_sample_is_that_of_its_moment() -> None:
    states = [sample.body.state.status for sample in made("call")[:-1]]  # type: ignore[union-attr]

    assert list(dict.fromkeys(states)) == [
        "started", "ringing", "answered", "talking", "held", "ended",
    ]  # fmt: skip


def test_there_are_no_others() -> None:
    assert ("call", *KINDS) == NAMES
    with pytest.raises(SampleUnknown, match="there are: call, "):
        made("NEVER")
