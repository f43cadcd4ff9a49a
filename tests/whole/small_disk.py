"""A disk of a few megabytes, which a test can fill, and make room on again."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_BLOCK = b"\0" * 65536


class SmallDisk:
    """A file system in memory, mounted at ``at``."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self._filler = at / "filler"

    def fill(self) -> None:
        """Nothing more can be written; what others leave free meanwhile is taken, too."""
        descriptor = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for block in (_BLOCK, _BLOCK[:4096], _BLOCK[:1]):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(descriptor, block)
        finally:
            os.close(descriptor)

    def make_room(self) -> None:
        """What filled it is gone."""
        self._filler.unlink()

    @property
    def free(self) -> int:
        """Bytes."""
        disk = os.statvfs(self.at)
        return disk.f_bavail * disk.f_frsize


@contextlib.contextmanager
def small_disk(at: Path, megabytes: int = 64) -> Iterator[SmallDisk]:
    """Mounted for as long as this lasts; skips the test where nothing may be mounted."""
    at.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "small", str(at)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("a small disk needs the program mount")
    if done.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {done.stderr.strip()}")
    try:
        yield SmallDisk(at)
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=False)
