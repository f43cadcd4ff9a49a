"""The engine's life, on a real Asterisk."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from trunkline.engine.config.run_directory import RunDirectoryError, fits, run_directory
from trunkline.engine.install.choose import Installed
from trunkline.engine.process import identity
from trunkline.engine.process.supervisor import EngineStartError, Supervisor

Write = Callable[[], None]


def _later(write: Write) -> Callable[[], Awaitable[None]]:
    async def written() -> None:
        write()

    return written


OWNER = Path(__file__).with_name("owner.py")


class Rig:
    """A supervisor with what it reported."""

    def __init__(self, installed: Installed, home: Path, write: Write) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        self.deaths: list[float] = []
        self.written = 0
        self.states: list[str] = []
        self._write = write
        self.supervisor = Supervisor(installed, home, self._configure, self._died, self._ready)
        self.supervisor.on_state(self.states.append)

    async def _configure(self) -> None:
        self.written += 1
        self._write()

    async def _died(self, last: float) -> None:
        assert self.supervisor.pid is None
        self.deaths.append(last)

    async def _ready(self) -> None:
        _, writer = await asyncio.open_unix_connection(run_directory(self.home) / "asterisk.ctl")
        writer.close()


@pytest.fixture
async def rig(
    installed: Installed, home: Path, write_configuration: Write
) -> AsyncIterator[Callable[[], Rig]]:
    made: list[Rig] = []

    def make() -> Rig:
        made.append(Rig(installed, home, write_configuration))
        return made[-1]

    yield make
    for each in made:
        await each.supervisor.stop(0)


@pytest.fixture
def owner(home: Path, cache: Path, write_configuration: Write) -> Iterator[Callable[[], tuple[subprocess.Popen[str], int]]]:  # fmt: skip
    """Start another Python that owns the engine; gives it and the engine's pid."""
    owners: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], int]:
        write_configuration()
        command = [sys.executable, str(OWNER), str(home), str(cache)]
        owners.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stdout = owners[-1].stdout
        assert stdout is not None
        # Its log comes first.
        pid = next(int(line) for line in stdout if line.strip().isdigit())
        return owners[-1], pid

    yield start
    for each in owners:
        each.kill()
        each.communicate()


async def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def arguments(home: Path) -> tuple[str, ...]:
    return ("-f", "-C", str(home / "etc" / "asterisk.conf"))


def long_ago(home: Path) -> None:
    """Date all files to 2023; the newest is a raw recording of 42 seconds later."""
    raw = home / "spool" / "live" / "a.raw"
    raw.parent.mkdir(parents=True)
    raw.touch()
    for file in [f for f in home.rglob("*") if f.is_file()]:
        os.utime(file, (1_700_000_000, 1_700_000_000))
    os.utime(raw, (1_700_000_042, 1_700_000_042))


@pytest.fixture
def stranger(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is none of ours, though its last arguments are those of an engine."""
    home.mkdir()
    command = [sys.executable, "-c", "import time; time.sleep(600)", *arguments(home)]
    with subprocess.Popen(command) as running:
        yield running
        running.kill()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as running:
        yield running
        running.kill()


async def test_an_engine_is_started_in_its_own_session_and_stopped(rig: Callable[[], Rig]) -> None:
    it = rig()
    await it.supervisor.start()
    pid = it.supervisor.pid
    assert pid is not None
    assert it.supervisor.up
    assert os.getsid(pid) == pid
    environment = (Path("/proc") / str(pid) / "environ").read_bytes()
    assert b"PYTEST" not in environment
    await it.supervisor.stop(10)
    assert not lives(pid)
    assert it.states == ["starting", "up", "stopping", "stopped"]
    assert len(it.deaths) == 1
    assert not (it.home / "engine.pid").exists()


async def test_a_killed_engine_is_restarted_after_its_death_was_reported(
    rig: Callable[[], Rig],
) -> None:
    it = rig()
    await it.supervisor.start()
    first = it.supervisor.pid
    assert first is not None
    before = time.time()
    os.kill(first, signal.SIGKILL)
    await until(lambda: it.supervisor.up and it.supervisor.pid != first, 60)
    assert it.states == ["starting", "up", "restarting", "up"]
    assert before <= it.deaths[0] <= time.time()
    assert it.written == it.supervisor.restarts + 1
    assert len(it.deaths) == it.supervisor.restarts


async def test_the_pause_before_a_restart_doubles(rig: Callable[[], Rig]) -> None:
    supervisor = rig().supervisor
    pauses = [supervisor._next_pause() for _ in range(10)]
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


async def test_an_engine_that_cannot_be_watched_is_ended_and_another_started(
    rig: Callable[[], Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files, once: what was started may not run on beside the next one."""
    one, opens, tried = rig(), os.pidfd_open, list[int]()
    await one.supervisor.start()

    def once_not(pid: int) -> int:
        tried.append(pid)
        if len(tried) == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opens(pid)

    monkeypatch.setattr(os, "pidfd_open", once_not)
    os.kill(one.supervisor.pid or 0, signal.SIGKILL)
    await until(lambda: one.supervisor.restarts > 1 and one.supervisor.up)
    assert not lives(tried[0])
    assert one.supervisor.pid == tried[1]


async def test_a_death_whose_report_failed_is_reported_again(
    installed: Installed, home: Path, write_configuration: Write
) -> None:
    reports: list[float] = []

    async def died(last: float) -> None:
        reports.append(last)
        if len(reports) == 1:
            raise OSError("the database is locked")

    async def ready() -> None:
        _, writer = await asyncio.open_unix_connection(run_directory(home) / "asterisk.ctl")
        writer.close()

    supervisor = Supervisor(installed, home, _later(write_configuration), died, ready)
    await supervisor.start()
    pid = supervisor.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: supervisor.up and supervisor.pid != pid)
    await supervisor.stop(5)
    assert len(reports) == 3


async def test_an_engine_outlives_its_killed_owner_and_is_adopted(
    rig: Callable[[], Rig], owner: Callable[[], tuple[subprocess.Popen[str], int]]
) -> None:
    python, engine = await asyncio.to_thread(owner)
    python.kill()
    python.wait()
    it = rig()
    await it.supervisor.start()
    assert (it.supervisor.pid, it.written, it.deaths) == (engine, 0, [])
    os.kill(engine, signal.SIGKILL)
    await until(lambda: it.supervisor.up and it.supervisor.pid != engine)
    assert len(it.deaths) == 1


@pytest.mark.parametrize("pid_file", ["none", "about to start"])
async def test_an_owner_killed_before_it_wrote_the_pid_leaves_no_unknown_engine(
    rig: Callable[[], Rig], owner: Callable[[], tuple[subprocess.Popen[str], int]], home: Path, pid_file: str
) -> None:  # fmt: skip
    python, engine = await asyncio.to_thread(owner)
    python.kill()
    python.wait()
    (home / "engine.pid").unlink()
    if pid_file == "about to start":
        identity.write(home / "engine.pid", identity.Process(0, 0, identity.boot_id()))
    it = rig()
    await it.supervisor.start()
    assert (it.supervisor.pid, it.deaths) == (engine, [])


async def test_the_engine_holds_the_lock_while_it_lives(rig: Callable[[], Rig]) -> None:
    it = rig()
    await it.supervisor.start()
    assert it.supervisor._locked()
    await it.supervisor.stop(10)
    assert not it.supervisor._locked()


async def test_an_engine_that_died_while_python_was_away_is_reported_with_its_last_sign_of_life(
    rig: Callable[[], Rig], owner: Callable[[], tuple[subprocess.Popen[str], int]], home: Path
) -> None:
    python, engine = await asyncio.to_thread(owner)
    python.kill()
    python.wait()
    os.kill(engine, signal.SIGKILL)
    await until(lambda: not lives(engine))
    long_ago(home)
    it = rig()
    await it.supervisor.start()
    assert it.deaths == [1_700_000_042]
    assert it.supervisor.pid not in (None, engine)


@pytest.mark.parametrize("wrong", [{"started": 1}, {"boot": "another"}])
async def test_a_recycled_pid_is_never_taken(
    stranger: subprocess.Popen[bytes], home: Path, wrong: dict[str, int | str]
) -> None:
    await until(lambda: identity.runs(stranger.pid, arguments(home)))
    found = identity.identify(stranger.pid)
    assert found is not None
    pidfd = identity.open_pidfd(found, arguments(home))
    assert pidfd is not None
    os.close(pidfd)
    recycled = msgspec.structs.replace(found, **wrong)
    assert identity.open_pidfd(recycled, arguments(home)) is None


async def test_a_pid_file_that_names_another_program_is_a_death(
    rig: Callable[[], Rig], sleeper: subprocess.Popen[bytes], home: Path
) -> None:
    found = identity.identify(sleeper.pid)
    assert found is not None
    it = rig()
    identity.write(home / "engine.pid", found)
    await it.supervisor.start()
    assert it.supervisor.pid != sleeper.pid
    assert len(it.deaths) == 1
    await it.supervisor.stop(10)
    assert sleeper.poll() is None


async def test_an_engine_that_cannot_start_says_why(installed: Installed, home: Path) -> None:
    def write() -> None:
        (home / "etc").mkdir(parents=True, exist_ok=True)
        (home / "etc" / "asterisk.conf").write_text("[directories]\nastmoddir => /nowhere\n")

    rig = Rig(installed, home, write)
    with pytest.raises(EngineStartError, match=r"ended as it started: .+"):
        await rig.supervisor.start()
    assert rig.supervisor.state == "stopped"
    assert rig.supervisor.pid is None


async def test_a_stop_amid_the_start_needs_no_kill(
    installed: Installed, home: Path, write_configuration: Write
) -> None:
    async def at_once() -> None: ...

    async def died(_: float) -> None: ...

    for pause in (0.0, 0.05, 0.2, 0.5):
        supervisor = Supervisor(installed, home, _later(write_configuration), died, at_once)
        await supervisor.start()
        await asyncio.sleep(pause)
        began = time.monotonic()
        await supervisor.stop(60)
        assert time.monotonic() - began < 30


async def test_a_second_stop_ends_a_slow_first_one(installed: Installed, home: Path) -> None:
    """A stand-in for an Asterisk that is deaf to SIGTERM."""
    script = "trap '' TERM; touch deaf; while :; do sleep 0.1; done"
    deaf = Installed("22.9", ("sh", "-c", script), home, home, home, "given", None)

    async def died(_: float) -> None: ...

    async def ready() -> None:
        (home / "deaf").stat()

    supervisor = Supervisor(deaf, home, _later(lambda: None), died, ready)
    await supervisor.start()
    slow = asyncio.create_task(supervisor.stop(600))
    await until(lambda: supervisor.state == "stopping")
    await supervisor.stop(0)
    await slow
    assert supervisor.state == "stopped"


async def test_left_alone_an_engine_runs_on(rig: Callable[[], Rig]) -> None:
    first, second = rig(), rig()
    await first.supervisor.start()
    pid = first.supervisor.pid
    await first.supervisor.leave()
    await second.supervisor.start()
    assert second.supervisor.pid == pid


@asynccontextmanager
async def short_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Path]:
    place = tmp_path / "short"
    place.mkdir()
    monkeypatch.setattr("trunkline.engine.config.run_directory.SHORT_PLACE", place)
    yield place


async def test_sockets_get_a_short_private_place_when_the_path_is_too_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with short_place(monkeypatch, tmp_path) as place:
        assert run_directory(tmp_path / "e") == tmp_path / "e" / "run"
        far = tmp_path / ("x" * 120)
        run = run_directory(far)
        assert run == run_directory(far)
        assert run.parent == place
        assert run.stat().st_mode & 0o777 == 0o700
        run.chmod(0o755)
        with pytest.raises(RunDirectoryError, match="not ours alone"):
            run_directory(far)


def test_what_fits_can_be_bound(tmp_path: Path) -> None:
    base = tmp_path
    exact = base / ("y" * (107 - len(os.fsencode(base)) - len("//asterisk.ctl")))
    exact.mkdir()
    assert fits(exact)
    assert not fits(exact.with_name(exact.name + "y"))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(exact / "asterisk.ctl"))
