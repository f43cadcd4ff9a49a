"""Connections that everybody shares: whoever has waited longest is next, whatever else happens."""

from __future__ import annotations

import asyncio

import pytest

from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.postgres import connections as module
from trunkline.store.postgres.connections import Shared

URL = "postgresql://nobody@127.0.0.1:1/none"
"""Seats are shared whether or not there is a server to connect to."""


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_has_waited_longest_is_next_also_where_a_newcomer_asks_first() -> None:
    shared, served = Shared(URL, 1), []

    async def client(name: int) -> None:
        for _ in range(2):  # the second time, it comes behind all who wait
            seat = await shared.take()
            served.append(name)
            await asyncio.sleep(0)
            shared.give_back(seat)

    await asyncio.gather(*map(client, range(4)))
    assert served == [0, 1, 2, 3, 0, 1, 2, 3]


async def test_who_has_gone_is_passed_over_and_loses_no_seat() -> None:
    shared = Shared(URL, 1)
    seat = await shared.take()
    gone, waits = (asyncio.create_task(shared.take()) for _ in range(2))
    await _settled()
    gone.cancel()
    await _settled()
    shared.give_back(seat)
    assert await waits is seat


async def test_who_goes_in_the_moment_of_being_served_passes_the_seat_on() -> None:
    shared = Shared(URL, 1)
    seat = await shared.take()
    gone, waits = (asyncio.create_task(shared.take()) for _ in range(2))
    await _settled()
    shared.give_back(seat)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await waits is seat


async def test_who_waits_too_long_is_told_and_takes_no_seat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.01)
    shared = Shared(URL, 1)
    seat = await shared.take()
    with pytest.raises(DatabaseUnavailable):
        await shared.take()
    shared.give_back(seat)
    assert await shared.take() is seat


async def test_closing_ends_the_wait() -> None:
    shared = Shared(URL, 1)
    await shared.take()
    waits = asyncio.create_task(shared.take())
    await _settled()
    shared.close()
    with pytest.raises(DatabaseUnavailable):
        await waits
    with pytest.raises(DatabaseUnavailable):
        await shared.take()


class _Connection:
    """Says whether it was ended."""

    ended = False

    def terminate(self) -> None:
        self.ended = True


async def test_what_nobody_uses_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.02)
    shared = Shared(URL, 2)
    idle, used = await shared.take(), await shared.take()
    idle.connection, used.connection = _Connection(), _Connection()
    ended, kept = idle.connection, used.connection
    shared.give_back(idle)
    async with asyncio.timeout(60):
        while idle.connection is not None:  # noqa: ASYNC110 (there is no event for it)
            await asyncio.sleep(0.005)
    assert (ended.ended, kept.ended) == (True, False)
    shared.close()
    assert kept.ended
