"""The command line in a process that has imported it already and forks for each command.

A test makes its account, users and phones by commands; half of a whole run was Python starting for them. What
a command does is the same: its arguments, its own process, its exit status, what it prints.
``tests/cli`` starts the program itself.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

_warm: WeakKeyDictionary[asyncio.AbstractEventLoop, Warm] = WeakKeyDictionary()


def warm() -> Warm:
    """This event loop's."""
    return _warm.setdefault(asyncio.get_running_loop(), Warm())


class Warm:
    """The process, started when it is first needed; one for all servers."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="trunkline-commands-")

    async def run(self, arguments: list[str], seconds: float = 60) -> tuple[int, str, str]:
        """Run a command: (exit status, stdout, stderr)."""
        process = await self._started()
        number = next(self._numbers)
        out, err = (Path(self._folder.name) / f"{number}.{kind}" for kind in ("out", "err"))
        done = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert process.stdin
        order = {"number": number, "arguments": arguments, "out": str(out), "err": str(err)}
        process.stdin.write(json.dumps(order).encode() + b"\n")
        status = await asyncio.wait_for(done, seconds)
        said = out.read_text(), err.read_text()
        out.unlink()
        err.unlink()
        return status, *said

    async def _started(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    __file__,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
                self._reading = asyncio.create_task(self._read(self._process))
            return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        while line := await process.stdout.readline():
            said = json.loads(line)
            waiting = self._waiting.pop(said["number"])
            if not waiting.done():  # nobody waits any more
                waiting.set_result(said["status"])
        for waiting in self._waiting.values():
            waiting.set_exception(RuntimeError("the command line's process has ended"))


def _serve() -> None:
    """Fork for each order that comes; ends with its standard input."""
    import importlib
    import pkgutil
    import select

    import trunkline.cli

    names = [each.name for each in pkgutil.walk_packages(trunkline.cli.__path__, "trunkline.cli.")]
    lazily = [
        "trunkline.server.wiring.database",
        "trunkline.store.directory",
        "trunkline.work.manage.manage_directory",
    ]
    for name in [*names, *lazily]:
        importlib.import_module(name)
    running: dict[int, int] = {}
    unread = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.02 if running else None)
        if ready:
            more = os.read(0, 1 << 16)
            if not more:
                return
            *lines, unread = (unread + more).split(b"\n")
            for order in map(json.loads, lines):
                running[_forked(order)] = order["number"]
        for pid, number in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del running[pid]
                code = os.waitstatus_to_exitcode(status)
                os.write(1, json.dumps({"number": number, "status": code}).encode() + b"\n")


def _forked(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    for descriptor, name in ((0, "/dev/null"), (1, order["out"]), (2, order["err"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    status = 1
    try:
        from trunkline.cli import main

        sys.argv = ["trunkline", *order["arguments"]]
        main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: its modules are no top-level ones
    _serve()
