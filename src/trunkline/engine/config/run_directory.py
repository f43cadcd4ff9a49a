"""The directory of an engine's sockets: the path of a Unix socket has at most 107 bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

LONGEST = 107
"""Bytes of ``sun_path`` less its closing zero (unix(7))."""
SOCKET = "asterisk.ctl"
SHORT_PLACE = Path("/tmp")  # noqa: S108 - what is made in it is private and checked to be ours


class RunDirectoryError(Exception):
    """There is no safe place for the engine's sockets; the message says what to do."""


def run_directory_of(home: Path) -> Path:
    """The engine's astrundir: ``home/run``, or a short path when that is too long. Makes nothing.

    The short path depends only on ``home`` and the user, not on the session: an engine that runs on
    must be found again from anywhere.
    """
    if fits(home / "run"):
        return home / "run"
    digest = hashlib.sha256(os.fsencode(home.absolute())).hexdigest()[:16]
    return SHORT_PLACE / f"trunkline-{os.getuid()}-{digest}"


def run_directory(home: Path) -> Path:
    """The same directory, made and private; raises RunDirectoryError when somebody else has made it."""
    place = run_directory_of(home)
    if place == home / "run":
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place
    with contextlib.suppress(FileExistsError):  # the check says so if it is no directory
        place.mkdir(mode=0o700, exist_ok=True)
    _check(place, home)
    return place


def fits(directory: Path) -> bool:
    """Is there room for the control socket's name?"""
    return len(os.fsencode(directory / SOCKET)) <= LONGEST


def _check(short: Path, home: Path) -> None:
    found = short.lstat()
    private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    if not private or found.st_uid != os.getuid():
        raise RunDirectoryError(
            f"{home} is too long a path for a socket, and {short} is not ours alone:"
            " remove it, or take a shorter data directory"
        )
