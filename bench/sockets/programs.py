"""Starting and talking to the measuring programs: a line each way, each pinned to its core.

Senders (the server, the C loop, python-socketio) share the first core and take turns; receivers and
whoever measures are on the second.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = {"receiver": ("receiver.c", "clients.c", "reading.c"), "sender": ("sender.c",)}
SENDING, RECEIVING = 0, 1
"""Indices into the cores that this process may use."""


def compiled(name: str, folder: Path) -> Path:
    """The C program ``name``, compiled into ``folder``."""
    if shutil.which("gcc") is None:
        raise SystemExit("error: this needs a C compiler: apt-get install gcc libc6-dev")
    made = folder / name
    if not made.exists():
        sources = [str(HERE / source) for source in SOURCES[name]]
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", str(made), *sources], check=True)
    return made


def core(which: int) -> set[int]:
    """The core for senders or for receivers: one and the same where there is only one."""
    cores = sorted(_ALLOWED)
    return {cores[which % len(cores)]}


_ALLOWED = os.sched_getaffinity(0)


class Program:
    """A running program that takes a command a line and answers a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, command: Sequence[str], which: int) -> Program:
        """Start it on its core; its errors go to ours."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 22,
        )
        os.sched_setaffinity(process.pid, core(which))
        return cls(process)

    @classmethod
    async def python(cls, module: str, *arguments: str, which: int = SENDING) -> Program:
        """A module of ours."""
        return await cls.start([sys.executable, "-m", module, *arguments], which)

    def say(self, command: str) -> None:
        """Send a command that has no answer, or whose answer is read later."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())

    async def hear(self, expected: str, seconds: float = 120) -> list[str]:
        """The words after ``expected``, which the next line must begin with."""
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            line = (await self._process.stdout.readline()).decode().split()
        assert line[:1] == [expected], f"{self.pid}: wanted {expected!r}, got {line!r}"
        return line[1:]

    async def ask(self, command: str, expected: str, seconds: float = 120) -> list[str]:
        """Send a command and give the words of its answer."""
        self.say(command)
        return await self.hear(expected, seconds)

    def cpu(self) -> float:
        """CPU seconds so far, all threads: the process's CPU clock, clock_getcpuclockid(3)."""
        return time.clock_gettime_ns((~self.pid << 3) | 2) / 1e9

    def memory(self) -> float:
        """Its own memory in kB: private pages, clean and dirty (USS). The kernel's are not in it."""
        kept = 0
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_"):
                kept += int(line.split()[1])
        return kept

    async def stop(self) -> None:
        """End it."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
