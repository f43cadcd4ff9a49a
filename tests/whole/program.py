"""A program that runs for a test: its output goes to a file, and it is ended for certain."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from .waiting import NeverHappened, until


class Program:
    """A child in a session of its own, so that one signal reaches it and all its children."""

    seen: ClassVar[list[Program]] = []
    """Every program of this run, for the report of a test that fails."""

    def __init__(
        self,
        name: str,
        command: list[str],
        log: Path,
        environ: Mapping[str, str] | None = None,
        output: Path | int | None = None,
    ) -> None:
        """``output``: where its output goes instead, a file or a descriptor."""
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        other = os.dup(output) if isinstance(output, int) else output
        with open(log if other is None else other, "ab") as told:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env={**os.environ, **(environ or {})},
                start_new_session=True,
            )
        self.pid = self._process.pid
        Program.seen.append(self)

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        self._process.send_signal(number)

    def send_all(self, number: signal.Signals) -> None:
        """Send a signal to the program and to the children that stayed in its session."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    async def ended(self, timeout: float = 20) -> int:
        """Wait for its end; gives the exit status."""
        await until(lambda: self.status is not None, f"the end of {self.name}", timeout)
        return self._process.returncode

    async def stop(self, timeout: float = 10) -> int:
        """SIGTERM, and SIGKILL for what does not heed it; gives the exit status."""
        if self.status is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        try:
            await self.ended(timeout)
        except NeverHappened:
            self.send_all(signal.SIGKILL)
        return await asyncio.to_thread(self._process.wait)

    def tail(self, lines: int = 60) -> str:
        """The last lines of its output."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError as error:
            return str(error)


@atexit.register
def _end_all() -> None:
    """Leave nothing behind, also where a test run is cut short."""
    for program in Program.seen:
        if program.status is None:
            program.send_all(signal.SIGKILL)
