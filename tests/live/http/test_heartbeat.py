from __future__ import annotations

import asyncio

from trunkline.live.http.heartbeat import Heartbeat

from ..conftest import until


async def test_each_is_visited_as_often_as_the_others_and_not_all_at_once() -> None:
    visits: list[int] = []
    at: dict[float, int] = {}

    def visit(member: int) -> None:
        visits.append(member)
        now = asyncio.get_running_loop().time()
        at[now] = at.get(now, 0) + 1

    beat = Heartbeat(0.1, visit)
    for member in range(100):
        beat.add(member)
    await until(lambda: len(visits) >= 1000)
    counts = [visits.count(member) for member in range(100)]

    assert max(counts) - min(counts) <= 1
    assert beat.members() == list(range(100))
    for member in range(100):
        beat.remove(member)
    assert len(beat) == 0


async def test_who_goes_amid_a_visit_and_who_fails() -> None:
    visits: list[str] = []

    def visit(member: str) -> None:
        visits.append(member)
        if member == "goes":
            beat.remove(member)
            beat.remove(member)
        if member == "fails":
            raise RuntimeError

    beat = Heartbeat(0.05, visit)
    for member in ("goes", "fails", "stays"):
        beat.add(member)
    await until(lambda: visits.count("stays") >= 3)
    beat.remove("stays")
    beat.remove("fails")

    assert visits.count("goes") == 1
    assert visits.count("fails") >= 2


async def test_the_timer_stops_with_the_last_and_starts_with_the_next() -> None:
    visits: list[str] = []
    beat = Heartbeat(0.05, visits.append)
    beat.add("a")
    await until(lambda: visits)
    beat.remove("a")
    await until(lambda: beat._timer is None)
    beat.add("b")
    await until(lambda: "b" in visits)
    beat.remove("b")
