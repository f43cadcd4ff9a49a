"""``make random-calls ARGS="--calls 1000 --seed 7"``: see CONTRIBUTING.md."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from whole.conftest import SHORT
from whole.ports import Ports
from whole.server import Server
from whole.stage import Stage

from .running import AT_ONCE, Run, report

SETTINGS: dict[str, Any] = SHORT | {"device_ring_seconds": 4, "ring_seconds": 4}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make random-calls", description="Calls at random, and whether what is told is true."
    )
    parser.add_argument("--calls", type=int, default=100, metavar="N", help="how many; 100")
    parser.add_argument("--seed", type=int, help="which calls; at random if not given")
    parser.add_argument("--only", type=int, metavar="N", help="only that call of the seed")
    parser.add_argument("--at-once", type=int, default=6, metavar="N", help=f"1 to {AT_ONCE}; 6")
    parser.add_argument("--kill", choices=("python", "engine"), default="", help="now and then")
    parser.add_argument("--database", default="", metavar="URL", help="PostgreSQL, not SQLite")
    chosen = parser.parse_args()
    chosen.at_once = max(1, min(chosen.at_once, AT_ONCE))
    chosen.seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    return chosen


async def _go(chosen: argparse.Namespace) -> int:
    numbers = [*range(chosen.calls)] if chosen.only is None else [chosen.only]
    settings = SETTINGS | ({"database": chosen.database} if chosen.database else {})
    ports = Ports()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        server = Server(data, ports.one(), ports.one(), ports.range(600), settings)
        stage = Stage(server, ports, Path(folder))
        try:
            await server.start()
            run = Run(stage, chosen.seed, chosen.kill, lambda line: print(line, flush=True))
            await run.set_up(min(chosen.at_once, len(numbers)))
            print(f"seed {chosen.seed}: {len(numbers)} calls", flush=True)
            begin = time.monotonic()
            await run.play(numbers)
            found = await run.differences()
            print(report(chosen.seed, found, time.monotonic() - begin, len(numbers), run.kills))
            return int(any(not each.explained for each in found))
        finally:
            await stage.close()
            await server.stop()
            ports.close()


sys.exit(asyncio.run(_go(_arguments())))
