"""What is done to it. Each fault ends by itself, and then everything is to be well again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

from whole.waiting import until

from .place import REGISTERED, Place


class Fault(NamedTuple):
    """``refuses``: which calls may be refused meanwhile: ``calls`` and clicks, ``clicks`` alone, those
    to ``phones``, which are offline, or none.
    """

    name: str
    strike: Callable[[Place, Random], Awaitable[None]]
    refuses: str
    weight: int


async def _python(place: Place, dice: Random) -> None:
    place.kill_main()
    await asyncio.sleep(dice.uniform(0, 4))
    await place.start_main()


async def _api(place: Place, dice: Random) -> None:
    await place.kill_api()
    await asyncio.sleep(dice.uniform(0, 1))
    place.start_api()
    await until(place.api_is_well, "the api process again", 60)


async def _engine(place: Place, dice: Random) -> None:
    killed = place.server.engine_pid
    await place.kill_engine()
    await until(lambda: place.server.engine_pid not in (None, killed), "another engine", 60)


async def _both(place: Place, dice: Random) -> None:
    place.kill_main()
    await asyncio.sleep(dice.uniform(0, 1))
    await place.kill_engine()
    await asyncio.sleep(dice.uniform(0, 1))
    await place.start_main()


async def _database(place: Place, dice: Random) -> None:
    await asyncio.to_thread(place.cluster.kill)
    await asyncio.sleep(dice.uniform(0, 3))
    await until(lambda: asyncio.to_thread(place.cluster.starts), "PostgreSQL's start", 60)


async def _disk(place: Place, dice: Random) -> None:
    assert place.disk
    for _ in range(4):  # what is let go of meanwhile is taken, too
        await asyncio.to_thread(place.disk.fill)
        await asyncio.sleep(dice.uniform(0.5, 1.5))
    place.disk.make_room()


async def _clock(place: Place, dice: Random) -> None:
    assert place.clock
    place.clock.set(dice.choice((7200, -7200)))
    await asyncio.sleep(dice.uniform(1, 4))
    place.clock.set(0)
    # By a clock that was set forward its registration was over: a phone comes again, sooner or later.
    await place.traffic.desk.register(REGISTERED)


async def _files(place: Place, dice: Random) -> None:
    place.few_files()
    await asyncio.sleep(dice.uniform(1, 4))
    place.many_files()


async def _network(place: Place, dice: Random) -> None:
    place.cable.cut()
    await asyncio.sleep(dice.uniform(0, 4))
    place.cable.mend()


FAULTS = (
    Fault("python", _python, "clicks", 4),
    Fault("api", _api, "", 2),
    Fault("engine", _engine, "calls", 4),
    Fault("both", _both, "calls", 2),
    Fault("database", _database, "calls", 4),
    Fault("disk", _disk, "calls", 2),
    Fault("clock", _clock, "phones", 2),
    Fault("files", _files, "clicks", 2),
    Fault("network", _network, "calls", 2),
)


def chosen(seed: int, number: int) -> tuple[Fault, Random]:
    """The fault of that number, and the dice that it throws: the same for the same seed."""
    dice = Random(f"{seed}:fault:{number}")
    (fault,) = dice.choices(FAULTS, [each.weight for each in FAULTS])
    return fault, dice
