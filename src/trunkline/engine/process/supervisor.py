"""The life of one engine: started, adopted, watched, started again, stopped.

The engine runs in its own session, so it outlives us; the next supervisor on the same directory
adopts it. Three files in ``home`` make that safe against a kill at any point:

* ``engine.lock``: the engine itself holds the lock, through a descriptor that it inherits. While it is
  locked, an engine lives or is just being started.
* ``engine.pid``: which process it is. It is written before a start (with pid 0) and after it, and removed
  only when ``on_died`` has returned. So a pid file without its process is a death to report.
* ``engine.alive``: its time of change is our last sight of the engine alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import stamina
import structlog

from trunkline.engine.config.run_directory import run_directory
from trunkline.engine.install.choose import Installed
from trunkline.engine.process import identity

__all__ = ["EngineStartError", "State", "Supervisor", "run_directory"]

State = Literal["starting", "up", "restarting", "stopping", "stopped"]

READY_SECONDS = 60.0
"""An engine that does not answer for so long after its start is ended, and started again."""
FIRST_PAUSE, LONGEST_PAUSE, LONG_LIFE = 0.2, 30.0, 60.0
_BEAT, _AGAIN, _LOCK_SECONDS = 1.0, 0.5, 5.0
_LOG_BYTES = 1 << 20


class EngineStartError(Exception):
    """The engine ended before it answered; the message holds its last words."""


class Supervisor:
    """Owns the only Asterisk of an engine directory.

    ``write_configuration`` makes ``home/etc/asterisk.conf``, and is called before every start.
    ``ready`` raises until the engine answers. ``on_died(last_sign_of_life)``, in unix seconds, is
    called after *every* end of the engine (a crash, one that we slept through, a stop), before
    another one is started. If we are killed during the call, it is called again: it must bear that.
    """

    def __init__(
        self,
        installed: Installed,
        home: Path,
        write_configuration: Callable[[], Awaitable[None]],
        on_died: Callable[[float], Awaitable[None]],
        ready: Callable[[], Awaitable[None]],
        name: str = "engine",
    ) -> None:
        self.restarts = 0
        self._installed, self._home = installed, home
        self._write_configuration, self._on_died, self._ready = write_configuration, on_died, ready
        self._log = structlog.get_logger().bind(engine=name)
        self._state: State = "stopped"
        self._listeners: list[Callable[[State], None]] = []
        self._arguments = ("-f", "-C", str(home / "etc" / "asterisk.conf"))
        self._lock_file, self._pid_file = home / "engine.lock", home / "engine.pid"
        self._alive_file = home / "engine.alive"
        self._process: identity.Process | None = None
        self._pidfd: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._ended = asyncio.Event()
        self._reporting_death = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._born, self._pause = time.monotonic(), FIRST_PAUSE

    @property
    def state(self) -> State:
        return self._state

    @property
    def up(self) -> bool:
        return self._state == "up"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def on_state(self, listener: Callable[[State], None]) -> None:
        self._listeners.append(listener)

    async def start(self) -> None:
        """Adopt the running engine or start one; returns when it answers.

        Raises EngineStartError when a new engine ends before that, and whatever ``write_configuration`` or
        ``on_died`` raise; nothing runs then.
        """
        self._enter("starting")
        try:
            await self._begin()
        except BaseException:
            await self._cancel_tasks()
            if self._state == "starting" and self._pidfd is None:
                self._enter("stopped")
            raise
        self._enter("up")
        self._tasks.append(asyncio.create_task(self._keep()))

    async def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL after ``grace`` seconds; returns when the engine is gone.

        May be called again while it waits, with a shorter grace. Raises what ``on_died`` raises.
        """
        self._enter("stopping")
        await self._cancel_tasks()
        await self._end(grace)
        await self._report_death(time.time())
        self._enter("stopped")

    async def leave(self) -> None:
        """Leave the engine running; the next supervisor adopts it."""
        await self._cancel_tasks()
        self._let_go()
        self._enter("stopped")

    def _enter(self, state: State) -> None:
        if state == self._state:
            return
        self._log.info("engine.state", state=state, pid=self.pid)
        self._state = state
        for listener in self._listeners:
            listener(state)

    async def _cancel_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Beginning

    async def _begin(self) -> None:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._tasks.append(asyncio.create_task(self._beat()))
        if not (await self._adopt() and await self._answers()):
            await self._report_death(self._last_sign_of_life())
            self._refuse_if_stopped()
            await self._spawn()
            if not await self._answers():
                await self._report_death(time.time())
                raise EngineStartError(f"the engine ended as it started: {self._last_words()}")
        self._refuse_if_stopped()

    def _refuse_if_stopped(self) -> None:
        if self._state != "starting":
            raise EngineStartError("the engine was stopped while it started")

    async def _adopt(self) -> bool:
        deadline = time.monotonic() + _LOCK_SECONDS
        while self._locked():
            if self._take_over():
                return True
            if time.monotonic() > deadline:
                self._log.warning("engine.lock_held_by_no_engine", lock=str(self._lock_file))
                return False
            await asyncio.sleep(0.05)
        return self._take_over()

    def _locked(self) -> bool:
        descriptor, free = identity.open_lock(self._lock_file)
        os.close(descriptor)
        return not free

    def _take_over(self) -> bool:
        written = identity.read(self._pid_file)
        for candidate in filter(None, (written, identity.search(self._arguments))):
            pidfd = identity.open_pidfd(candidate, self._arguments)
            if pidfd is not None:
                self._log.info("engine.adopted", pid=candidate.pid)
                self._watch(candidate, pidfd)
                return True
        return False

    async def _spawn(self) -> None:
        self._born = time.monotonic()
        await self._write_configuration()
        identity.write(self._pid_file, identity.Process(0, 0, identity.boot_id()))
        lock, _ = identity.open_lock(self._lock_file)
        try:
            child = self._popen(lock)
        finally:
            os.close(lock)
        try:
            self._take_in(child)
        except OSError:
            # An engine that nobody watches would be in the way of the next one.
            child.kill()
            child.wait()
            self._let_go()
            raise

    def _take_in(self, child: subprocess.Popen[bytes]) -> None:
        pidfd = os.pidfd_open(child.pid)
        self._child, self._pidfd = child, pidfd
        self._watch(identity.identify(child.pid) or identity.Process(child.pid, 0, ""), pidfd)

    def _popen(self, lock: int) -> subprocess.Popen[bytes]:
        with self._console().open("ab") as console:
            return subprocess.Popen(
                [*self._installed.command, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=self._home,
                env=identity.environment(self._home),
                start_new_session=True,
                pass_fds=(lock,),
            )

    def _console(self) -> Path:
        """The file for what the engine prints; once it has grown, it is kept under another name."""
        file = self._home / "log" / "console.log"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_size > _LOG_BYTES:
                file.replace(file.with_name("console.log.1"))
        return file

    def _last_words(self) -> str:
        text = self._console().read_bytes()[-4096:].decode(errors="replace")
        plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
        lines = [line.strip() for line in plain.splitlines() if line.strip()]
        return " / ".join(lines[-3:]) or "it said nothing"

    # Living

    def _watch(self, found: identity.Process, pidfd: int) -> None:
        identity.write(self._pid_file, found)
        self._process, self._pidfd = found, pidfd
        self._ended.clear()
        self._alive_file.touch()
        asyncio.get_running_loop().add_reader(pidfd, self._on_end)

    def _on_end(self) -> None:
        if self._child:
            self._child.wait()
        if self.up:
            self._log.warning("engine.ended", pid=self.pid)
            self._enter("restarting")
        self._let_go()
        self._ended.set()

    def _let_go(self) -> None:
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
        self._pidfd = self._process = self._child = None

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(OSError):  # the next one will do
                if self._pidfd is not None:
                    self._alive_file.touch()
            await asyncio.sleep(_BEAT)

    async def _answers(self) -> bool:
        """Wait until the engine answers; False when it ended, by itself or because it was too slow."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._ended.is_set():
            with contextlib.suppress(Exception):
                async with asyncio.timeout(5):
                    await self._ready()
                return not self._ended.is_set()
            if time.monotonic() > deadline:
                self._log.error("engine.does_not_answer", pid=self.pid)
                await self._end(0)
            await self._ends_within(0.1)
        return False

    async def _ends_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        return self._ended.is_set()

    async def _keep(self) -> None:
        while True:
            await self._ended.wait()
            self._enter("restarting")
            self.restarts += 1
            async for attempt in stamina.retry_context(
                on=Exception, attempts=None, timeout=None, wait_initial=FIRST_PAUSE, wait_max=LONGEST_PAUSE
            ):  # fmt: skip
                with attempt:
                    await self._report_death(time.time())
            await asyncio.sleep(self._next_pause())
            await self._start_again()

    def _next_pause(self) -> float:
        if time.monotonic() - self._born >= LONG_LIFE:
            self._pause = FIRST_PAUSE
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        return pause

    async def _start_again(self) -> None:
        try:
            await self._spawn()
        except Exception:
            self._log.exception("engine.cannot_start")
            return
        if await self._answers():
            self._enter("up")

    # Ending

    async def _end(self, grace: float) -> None:
        """Returns when the engine is gone; does nothing when there is none."""
        if self._pidfd is None:
            return
        deadline = time.monotonic() + grace
        while (left := deadline - time.monotonic()) > 0:
            # It is sent again and again: Asterisk misses one that comes during its start (asterisk.c,
            # monitor_sig_flags: the flag is set, but nothing wakes the thread that looks at it).
            self._signal(signal.SIGTERM)
            if await self._ends_within(min(left, _AGAIN)):
                return
        self._signal(signal.SIGKILL)
        await self._ended.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, number)

    async def _report_death(self, last_sign_of_life: float) -> None:
        """Report a death once; the pid file says that there is one to report."""
        async with self._reporting_death:
            if self._pidfd is None and self._pid_file.exists():
                await self._on_died(last_sign_of_life)
                self._pid_file.unlink(missing_ok=True)

    def _last_sign_of_life(self) -> float:
        """In unix seconds: the newest change of what the engine writes, and of our last sight of it."""
        folders = (self._home / "log", self._home / "spool")
        return min(identity.newest_change(folders, self._alive_file), time.time()) or time.time()
