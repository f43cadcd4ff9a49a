"""Message ids: each once, in order, as near to the events' times as that allows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trunkline.events.message_ids import MessageIds


@given(st.integers(0, 50), st.lists(st.integers(0, 100), max_size=50))
def test_each_is_given_once_and_they_grow(start: int, times: list[int]) -> None:
    message_ids = MessageIds(lambda: start)
    given_ = [message_ids(at) for at in times]

    assert given_ == sorted(set(given_))
    assert all(one > start and one >= at for one, at in zip(given_, times, strict=True))


def test_an_event_later_than_all_before_has_its_own_time() -> None:
    message_ids = MessageIds(lambda: 100)
    assert [message_ids(at) for at in (90, 200, 200, 150, 300)] == [101, 200, 201, 202, 300]
