"""``make torture ARGS="--kills 200 --seed 7"``: see CONTRIBUTING.md."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
import time

import pytest

from .place import place
from .running import Run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make torture", description="Faults under calls, and whether what is told is true."
    )
    parser.add_argument("--kills", type=int, default=40, metavar="N", help="how many faults; 40")
    parser.add_argument("--seed", type=int, help="which faults; at random if not given")
    parser.add_argument(
        "--from", type=int, default=0, dest="first", metavar="N", help="go on there"
    )
    parser.add_argument("--rate", type=float, default=3.0, help="calls a second; 3")
    parser.add_argument("--minutes", type=float, default=60.0, help="no fault after so long; 60")
    chosen = parser.parse_args()
    chosen.seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    return chosen


async def _go(chosen: argparse.Namespace) -> int:
    def say(line: str) -> None:
        print(line, flush=True)

    async with place(chosen.seed, chosen.rate) as there:
        run = Run(there, chosen.seed, say)
        begin, done = time.monotonic(), chosen.first
        there.traffic.start()
        while done < chosen.first + chosen.kills:
            if time.monotonic() - begin > chosen.minutes * 60:
                say(f'the time is over: go on by ARGS="--seed {chosen.seed} --from {done}"')
                break
            await run.strike([done])
            done += 1
        found = await run.ended()
        for line in found:
            say(line)
        took = time.strftime("%M:%S", time.gmtime(time.monotonic() - begin))
        calls, faults = len(there.traffic.attempts), done - chosen.first
        say(f"seed {chosen.seed}: {faults} faults, {calls} calls in {took}; {len(found)} findings")
        return int(bool(found))


signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing is left behind
try:
    sys.exit(asyncio.run(_go(_arguments())))
except (
    pytest.skip.Exception
) as missing:  # a disk that cannot be mounted, a clock that cannot be set
    print(missing, file=sys.stderr)
    sys.exit(2)
