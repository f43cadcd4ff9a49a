"""The folders in which raw audio waits for its recording.

The engine writes in ``live/``. In ``done/`` are files that the engine has closed, in ``encoding/`` recordings that
are being made, in ``failed/`` audio of recordings that were given up, in ``unclaimed/`` audio of no call.
A raw file keeps its name, ``<raw>.leg``, wherever it stands. An engine of the version before, which was
adopted, writes ``<raw>.raw``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Container, Iterable
from pathlib import Path

from trunkline.recordings.leg_file import has_voice

ENDINGS = (".leg", ".raw")


def is_leg_file(path: Path) -> bool:
    """Is it the file of our recorder?"""
    return path.suffix == ENDINGS[0]


class Spool:
    """The folders under ``root``; made at need."""

    def __init__(self, root: Path) -> None:
        self.live = root / "live"
        self.done = root / "done"
        self.encoding = root / "encoding"
        self.failed = root / "failed"
        self.unclaimed = root / "unclaimed"
        for folder in (self.live, self.done, self.encoding, self.failed, self.unclaimed):
            folder.mkdir(parents=True, exist_ok=True)

    def waiting(self) -> list[str]:
        return _raw_names(self.done)

    def raw(self, name: str) -> Path:
        """Where the audio is, or would be."""
        return _found(self.done, name) or self.done / f"{name}{ENDINGS[0]}"

    def writes(self, name: str) -> bool:
        """Does the engine still write the audio?"""
        return _found(self.live, name) is not None

    def silent(self, name: str) -> bool:
        """Is there no sound in it?"""
        path = self.raw(name)
        try:
            return not has_voice(path) if is_leg_file(path) else path.stat().st_size < 4
        except FileNotFoundError:
            return True

    def holds(self, name: str) -> bool:
        return self.writes(name) or self.raw(name).exists()

    def came(self, name: str) -> int | None:
        """When the audio came to ``done/``, in unix microseconds; None when it is gone."""
        found = self._stat(name)
        return None if found is None else found.st_ctime_ns // 1000

    def size(self, name: str) -> int | None:
        """Bytes of raw audio in ``done/``; None when it is gone."""
        found = self._stat(name)
        return None if found is None else found.st_size

    def _stat(self, name: str) -> os.stat_result | None:
        try:
            return self.raw(name).stat()
        except FileNotFoundError:
            return None

    def clear_encoding(self) -> None:
        """Remove half and unneeded MP3s that a crash has left. Nobody may be encoding."""
        for left in self.encoding.iterdir():
            left.unlink()

    def drop(self, name: str) -> None:
        self.raw(name).unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """Remove the raw audio of that name from every folder; it stays gone after a crash."""
        for folder in (self.live, self.done, self.failed, self.unclaimed):
            while (file := _found(folder, name)) is not None:
                file.unlink(missing_ok=True)
                _sync(folder)

    def put_away(self, name: str, folder: Path) -> None:
        if (file := _found(self.done, name)) is not None:
            file.replace(folder / file.name)

    def take_closed(self, open_now: Callable[[], Container[Path] | None]) -> None:
        """Hand over the files in ``live/`` that are open no more.

        ``open_now`` returns resolved paths. It is called after the look into ``live/``, so that a file
        that is made in between cannot seem closed. None means "not known": then none is handed over.
        """
        names, live = _raw_names(self.live), self.live.resolve()
        still_open = open_now() if names else None
        if still_open is not None:
            self._hand_over(
                name
                for name in names
                if not any(live / f"{name}{e}" in still_open for e in ENDINGS)
            )

    def hand_over(self, name: str) -> None:
        self._hand_over([name])

    def salvage(self) -> list[str]:
        """Hand over what a dead engine was writing; returns the raw names. No engine may be running.

        Audio never takes the place of other audio: where ``done/`` has the name, the file stays.
        """
        return self._hand_over(_raw_names(self.live))

    def _hand_over(self, names: Iterable[str]) -> list[str]:
        moved = [name for name in names if not self.raw(name).exists()]
        for name in moved:
            if (file := _found(self.live, name)) is not None:
                with contextlib.suppress(FileNotFoundError):  # handed over by another look
                    file.replace(self.done / file.name)
        return moved


def _found(folder: Path, name: str) -> Path | None:
    return next((file for e in ENDINGS if (file := folder / f"{name}{e}").exists()), None)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _raw_names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(
            Path(entry.name).stem
            for entry in entries
            if entry.name.endswith(ENDINGS) and entry.is_file(follow_symlinks=False)
        )
