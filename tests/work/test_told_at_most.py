"""What happens again and again is told a few times at once, and then once a window, whoever makes it happen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trunkline.work.told_at_most import ToldAtMost


def teller(**limits: int) -> ToldAtMost[str]:
    return ToldAtMost(
        window=60, **{"each": 2, "in_all": 5, "kinds": 3, **limits}, rest=lambda _: "others"
    )


def test_the_first_are_told_at_once_and_the_rest_when_the_window_is_over() -> None:
    told = teller()
    assert [told.now("a", 1, 0), told.now("a", 1, 1), told.now("a", 7, 2)] == [[1], [1], []]
    assert told.over(59) == []
    assert told.over(60) == [("a", 7)]
    assert told.over(60) == []
    assert told.now("a", 1, 61) == [1]


def test_many_at_once_are_as_many_lines_as_may_be() -> None:
    told = teller(each=5, in_all=9)
    assert told.now("a", 3, 0) == [1, 1, 1]
    assert told.now("b", 308, 0) == [1, 1, 1, 1, 304]
    assert told.now("b", 3, 1) == []
    assert told.over(60) == [("b", 3)]


def test_a_flood_of_kinds_costs_no_more_than_so_many() -> None:
    told = teller()
    assert sum(len(told.now(str(n), 1, 0)) for n in range(1000)) == 3
    held = dict(told.over(60))
    assert len(held) <= 4
    assert sum(held.values()) == 997


def test_of_many_kinds_those_that_happened_most_often_are_told_as_such() -> None:
    told = ToldAtMost[str](window=60, each=1, in_all=0, kinds=9, rest=lambda kind: kind[0], apart=2)
    for kind, count in (("a1", 5), ("a2", 1), ("b1", 7), ("b2", 2), ("a3", 3)):
        assert told.now(kind, count, 0) == []
    assert told.over(60) == [("b1", 7), ("a1", 5), ("a", 4), ("b", 2)]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 400)), max_size=60))
def test_nothing_is_lost_or_told_twice(happened: list[tuple[str, int]]) -> None:
    told = teller()
    at_once = [count for kind, count in happened for count in told.now(kind, count, 1)]
    held = [count for _, count in told.over(61)]
    assert sum(at_once) + sum(held) == sum(count for _, count in happened)
    assert all(count > 0 for count in (*at_once, *held))
