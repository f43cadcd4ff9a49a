"""Places are shared out so that nobody starves."""

from __future__ import annotations

from trunkline.work.deliver.webhook_turns import Turns


def serve(turns: Turns, failing: bool = False) -> list[str]:
    """Everybody who may be served now, in order; each of them waits again."""
    served = []
    while (turn := turns.next()) is not None:
        account, webhook = turn
        turns.begin(account, failing)
        turns.wait(account, webhook, failing)
        served.append(webhook)
    return served


def test_places_go_round_accounts_and_their_endpoints() -> None:
    turns = Turns(7)
    for account, webhook in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1")):
        turns.wait(account, webhook, failing=False)
    served = serve(turns)
    assert sorted(served[:3]) == ["a1", "b1", "c1"]
    assert sorted(served[3:6]) == ["a2", "b1", "c1"]
    assert served[6] in ("a3", "b1", "c1")


def test_a_free_place_goes_to_whom_has_the_fewest() -> None:
    turns = Turns(4)
    turns.wait("a", "a1", failing=False)
    assert serve(turns) == ["a1"] * 4
    turns.wait("b", "b1", failing=False)
    assert turns.next() is None
    turns.end("a", failing=False)
    assert serve(turns) == ["b1"]


def test_those_that_fail_have_half_of_the_places() -> None:
    turns = Turns(6)
    for n in range(6):
        turns.wait(f"f{n}", f"f{n}", failing=True)
    assert len(serve(turns, failing=True)) == 3
    turns.wait("a", "a1", failing=False)
    assert turns.next() == ("a", "a1")


def test_who_waits_twice_is_served_once() -> None:
    turns = Turns(9)
    turns.wait("a", "a1", failing=False)
    turns.wait("a", "a1", failing=False)
    assert (turns.next(), turns.next()) == (("a", "a1"), None)
