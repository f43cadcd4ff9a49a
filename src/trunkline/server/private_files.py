"""What lies in the data directory is for its owner alone, whatever mode the directory has, and whoever brought a file."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_OURS = ("recordings", "engine", "sandbox", "prompts", "music")
_FILES = ("trunkline.db*", "trunkline.toml", "secret.key", "server.json", "lock")
"""The settings may have the database's password."""
_OTHERS = 0o077


def keep_private(directory: Path) -> None:
    """This process, and what it starts, makes files from now on that nobody else may read; what is there is closed.

    What is in our folders cannot be reached any more, then (`close_contents`).
    """
    os.umask(_OTHERS)
    for path in (*(directory / name for name in _OURS), *_files(directory)):
        _close(path)


def close_contents(directory: Path) -> int:
    """Close what is in the folders, too: files that were moved here, or are older than this; returns how many."""
    return sum(_close_all(directory / name) for name in _OURS)


def _files(directory: Path) -> list[Path]:
    return [path for pattern in _FILES for path in directory.glob(pattern) if not path.is_symlink()]


def _close_all(folder: Path) -> int:
    """A link at the top is followed (a disk of its own for recordings), none below is."""
    closed = 0
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place) / name
            closed += not path.is_symlink() and _close(path)
    return closed


def _close(path: Path) -> bool:
    """Is it closed now, and was it not before? What is gone, or another's, stays as it is."""
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)
            return True
    return False
