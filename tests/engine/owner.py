"""A Python that owns an engine until it is killed: run as a program by the supervisor's tests.

Arguments: the engine directory, the cache. It prints the engine's pid when the engine is up.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from trunkline.engine.config.run_directory import run_directory
from trunkline.engine.install.choose import find
from trunkline.engine.process.supervisor import Supervisor


async def main(home: Path, cache: Path) -> None:
    installed = find(cache)
    assert installed is not None

    async def died(_last: float) -> None: ...

    async def configured() -> None: ...

    async def ready() -> None:
        _, writer = await asyncio.open_unix_connection(run_directory(home) / "asterisk.ctl")
        writer.close()

    supervisor = Supervisor(installed, home, configured, died, ready)
    await supervisor.start()
    print(supervisor.pid, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
