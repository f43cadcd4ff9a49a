"""Calls that are written while something else is measured, at a pace, in a process of its own.

``python -m bench.histories.writing KEPT RATE`` writes by the product's ``Calls.commit``: every hundredth of a
second one batch with the calls that are due, each with the facts, events and record that the fold made of
a recorded call. It says ``ready AT`` once it begins, and how many calls there were when it is told to end.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import psycopg
import uvloop

from trunkline.store.sqlite.connect import connect_writer

from ..figures import Figure
from ..sockets.programs import SENDING, Program
from .folded import folded_calls, joined, renewed
from .kept import Kept
from .naive import Naive
from .office import WINDOW

_TICK = 0.01
_MOST = 500


class Pace:
    """How many calls were wanted, and how many came."""

    def __init__(self, rate: int, began_at: int) -> None:
        self.rate, self.began_at = rate, began_at
        self.written, self.seconds = 0, 0.0

    def figure(self, kept: Kept) -> Figure:
        """The pace that was held."""
        held = self.written / self.seconds
        return Figure(
            name=f"{kept.name}: calls written meanwhile",
            baseline=self.rate,
            candidate=held,
            ratio=held / self.rate,
            unit="calls/s",
            aim=0.95,
            at_least=True,
            note=f"{self.written} calls in {self.seconds:.1f} s",
        )


@asynccontextmanager
async def writing(kept: Kept, rate: int) -> AsyncIterator[Pace]:
    """Calls are written inside, ``rate`` a second, to all accounts."""
    told = msgspec.json.encode(kept).decode()
    program = await Program.python(__name__, told, str(rate), which=SENDING)
    try:
        (at,) = await program.hear("ready")
        pace = Pace(rate, int(at))
        await asyncio.sleep(0.5)
        yield pace
        written, seconds = await program.ask("end", "written")
        pace.written, pace.seconds = int(written), float(seconds)
    finally:
        await program.stop()
        settle(kept)


def starting_at(kept: Kept) -> int:
    """When the next calls may start, unix microseconds: after all that are there."""
    plain = Naive(kept)
    newest = "SELECT max(started_at) FROM calls WHERE account_id = ? AND started_at < ?"
    with plain.closing():
        found = (plain.all(newest, each, WINDOW[1])[0][0] or 0 for each in kept.accounts)
        return max(WINDOW[0], *found) + 1_000_000


def settle(kept: Kept) -> None:
    """No server is to look for the recordings of these calls."""
    done = "UPDATE recordings SET state = 'ready' WHERE state = 'pending'"
    if isinstance(kept.place, Path):
        with closing(connect_writer(kept.place)) as file:
            file.execute(done)
        return
    with psycopg.connect(kept.place, autocommit=True) as server:
        server.execute(done)


async def _write(kept: Kept, rate: int) -> None:
    db, at = kept.open(), starting_at(kept)
    folded = await folded_calls(kept, db)
    first = secrets.randbits(40) << 16
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    print(f"ready {at}", flush=True)
    began, written = time.perf_counter(), 0
    while not ended.done():
        due = int((time.perf_counter() - began) * rate)
        step = 1_000_000 // rate
        made = [
            renewed(folded[n % len(folded)], f"bench{first + n}", at + n * step)
            for n in range(written, min(due, written + _MOST))
        ]
        if made:
            await db.calls.commit(joined(made))
        written += len(made)
        pause = began + (written + rate * _TICK) / rate - time.perf_counter()
        await asyncio.sleep(max(0.0, pause))
    print(f"written {written} {time.perf_counter() - began}", flush=True)
    await db.close()


def main() -> None:
    kept = msgspec.json.decode(sys.argv[1], type=Kept)
    uvloop.run(_write(kept, int(sys.argv[2])))


if __name__ == "__main__":
    main()
