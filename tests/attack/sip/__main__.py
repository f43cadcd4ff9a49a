"""``python -m attack.sip``: what a server is sent, and what it must not come to: see CONTRIBUTING.md."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path

from whole.conftest import SHORT
from whole.ports import Ports
from whole.server import Server
from whole.stage import Stage

from .attack import Attack

_KINDS = ("torture", "over_tcp", "strangers", "a_device")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m attack.sip", description=__doc__)
    parser.add_argument("--messages", type=int, default=6000, metavar="N", help="at random; 6000")
    parser.add_argument("--seed", type=int, help="which ones; at random if not given")
    parser.add_argument("--only", choices=_KINDS, help="one kind of attack")
    chosen = parser.parse_args()
    chosen.seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    return chosen


async def _go(chosen: argparse.Namespace) -> int:
    ports = Ports()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        server = Server(data, ports.one(), ports.one(), ports.range(200), SHORT)
        stage = Stage(server, ports, Path(folder))
        try:
            await server.start()
            attack = Attack(stage, chosen.seed, chosen.messages)
            await attack.set_up()
            print(f"seed {chosen.seed}", flush=True)
            for kind in _KINDS if chosen.only is None else (chosen.only,):
                begin = time.monotonic()
                sent = await getattr(attack, kind)()
                print(f"{kind:12} {sent:6} messages, {time.monotonic() - begin:.0f} s", flush=True)
            for finding in await attack.findings():
                print(f"FOUND {finding}", flush=True)
            print(f"{len(attack.found)} found", flush=True)
            return int(bool(attack.found))
        finally:
            await stage.close()
            await server.stop()
            ports.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(_go(_arguments())))
