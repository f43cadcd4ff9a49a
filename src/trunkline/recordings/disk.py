"""Keeps recordings in a directory of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from pathlib import Path

from obstore.store import LocalStore

from trunkline.recordings.objects import ObjectStore, checked

_STAGE = "incoming"
_LEFT_OVER_SECONDS = 86_400


class DiskStore(ObjectStore):
    """A ``Store`` with one file for each recording, under its public name, in ``root``.

    A file is written in ``root/incoming``, and takes its name once it is on the disk. So
    a crash or a power cut leaves the older file or the new one. The directory is made at need. Only the owner may read a file.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stage = root / _STAGE
        self._stage.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(LocalStore(root))

    async def put(self, name: str, file: Path) -> None:
        staged = f"{checked(name)}.{secrets.token_hex(8)}"
        await asyncio.to_thread(self._clear)
        try:
            # obstore renames a finished copy into place too, but it never calls fsync.
            await self._copy(file, f"{_STAGE}/{staged}")
            await asyncio.to_thread(self._settle, staged, name)
        finally:
            (self._stage / staged).unlink(missing_ok=True)

    async def delete(self, name: str) -> None:
        """It stays gone after a crash."""
        await super().delete(name)
        await asyncio.to_thread(_fsync, self._root)

    def _settle(self, staged: str, name: str) -> None:
        (self._stage / staged).chmod(0o600)
        _fsync(self._stage / staged)
        os.replace(self._stage / staged, self._root / name)
        _fsync(self._root)

    def _clear(self) -> None:
        """Remove what crashes have left; younger files may belong to a writer that is at work."""
        old = time.time() - _LEFT_OVER_SECONDS
        for entry in os.scandir(self._stage):
            with contextlib.suppress(FileNotFoundError):  # it has taken its name meanwhile
                if entry.stat().st_mtime < old:
                    os.unlink(entry.path)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
