"""Which process is our engine: told apart from every other one, also from a later one with the same pid.

Linux only. It compares ``/proc/PID/stat`` field 22 (start time in clock ticks since boot, proc(5)), the
boot's id, and the command line; signals and the end of a process go by pidfd (pidfd_open(2)).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
from collections.abc import Iterable
from pathlib import Path

import msgspec

from trunkline.engine.config import realtime

_PROC = Path("/proc")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Process(msgspec.Struct, frozen=True):
    """One process, unmistakably: its pid, its start in ticks since boot, and the id of that boot.

    A pid of 0 says that a process was about to be started.
    """

    pid: int
    started: int
    boot: str


def environment(home: Path) -> dict[str, str]:
    """The engine's whole environment; it gets nothing of ours."""
    own = {"PATH": _PATH, "LANG": "C.UTF-8", "TERM": "dumb", "HOME": str(home)}
    return own | realtime.environment(home / "etc")


def boot_id() -> str:
    """The id of this boot of the machine (random(4))."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Process | None:
    """The process that has this pid now; None when there is none."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field, the name, may hold spaces and brackets.
    return Process(pid, int(stat.rpartition(")")[2].split()[19]), boot_id())


def runs(pid: int, arguments: tuple[str, ...]) -> bool:
    """Does the command line of this process end with these arguments?"""
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return False
    return tuple(words[-len(arguments) :]) == tuple(map(os.fsencode, arguments))


def search(arguments: tuple[str, ...]) -> Process | None:
    """The oldest process whose command line ends with these arguments.

    It is the oldest, since a child looks like its parent between fork and exec.
    """
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    found = (identify(pid) for pid in pids if runs(pid, arguments))
    return min((p for p in found if p), key=lambda p: (p.started, p.pid), default=None)


def open_pidfd(process: Process, arguments: tuple[str, ...]) -> int | None:
    """A pidfd of exactly this process; None unless it lives and its command line ends so."""
    if process.pid <= 0:
        return None
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    # This looks after opening: it compares the process that the pidfd holds, unless that has ended.
    if identify(process.pid) == process and runs(process.pid, arguments) and not ended(pidfd):
        return pidfd
    os.close(pidfd)
    return None


def ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def open_lock(file: Path) -> tuple[int, bool]:
    """Open a lock file and try to lock it; returns the descriptor, and whether that worked.

    The lock (flock(2)) belongs to the open file, so a child that inherits the descriptor holds it
    for as long as it lives, even before its exec.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return descriptor, False
    return descriptor, True


def newest_change(folders: Iterable[Path], *files: Path) -> float:
    """When a file in these folders, or one of these files, last changed, in unix seconds; 0 if there is none."""
    every = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return max(map(_changed, (*every, *files)), default=0.0)


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def read(file: Path) -> Process | None:
    """What a pid file says; None when there is none. One that cannot be read gives pid 0."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Process)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        return Process(0, 0, "")


def write(file: Path, process: Process) -> None:
    """Write a pid file, whole or not at all; what stands there already needs no room on a disk."""
    if read(file) == process:
        return
    aside = file.with_name(f"{file.name}.new")
    aside.write_bytes(msgspec.json.encode(process))
    aside.replace(file)


def open_files(pid: int) -> frozenset[Path] | None:
    """The files that a process holds open; None when it is gone, or not ours to look at."""
    folder = Path(f"/proc/{pid}/fd")
    try:
        links = list(folder.iterdir())
    except OSError:
        return None
    found = set()
    for link in links:
        with contextlib.suppress(OSError):  # closed in between
            found.add(link.readlink())
    return frozenset(found)
