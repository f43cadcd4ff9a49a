"""Follows the engine's log (CEL): gives rows as they are appended, with the position after them.

Asterisk appends each record with one open, write and close, one record after the other. Fields may
hold line breaks: a record ends at a line break outside quotes. A record may be cut short for ever,
by a full disk or by a kill in the middle of its write (Linux ends a write between two pages); the next
record is then found by its beginning.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import structlog
from asyncinotify import Inotify, Mask

from trunkline.calls.cel import CelRow, LogPosition, parse

log = structlog.get_logger()

_LOOKS_EVERY = 0.02  # seconds
GATHER = 0.003
"""Seconds between the first new row and the reading, so that rows that belong together come together."""
_AGAIN = 0.5
"""Seconds to wait when the file cannot be opened or read: too many are open, or the disk has a fault."""
_CHUNK = 256 * 1024
_ROTATE_AT = 64 * 1024 * 1024
_BEGINNING = re.compile(rb'"[A-Z_]+","[0-9]{9,12}\.[0-9]{1,6}","')


class Taken(NamedTuple):
    """Rows, and the log's position after them. ``skipped`` counts records that make no row."""

    rows: list[CelRow]
    position: LogPosition
    skipped: int


class LogFollower:
    """Reads one log file from a position on. Not safe for two readers.

    A large log is set aside as ``<name>.csv.1``, and read to its end there: Asterisk's log has one
    writer, so nothing more comes to the old file once the new one holds something.
    """

    def __init__(self, file: Path, position: LogPosition | None) -> None:
        self._file = file
        self._aside = file.with_suffix(".csv.1")
        self._position = position
        self._looked_at: LogPosition | None = None
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():  # its time of change is a sign of the engine's life, and not of ours
            file.touch()

    def read(self) -> Taken | None:
        """What is new, up to 256 KiB of it; None when there is no whole record."""
        new_has_begun = _size(self._file) > 0
        file, position = self._where()
        taken = self._take(file, position)
        if taken is None and file == self._aside and new_has_begun:
            self._position = LogPosition(self._file.stat().st_ino, 0)
            return self._take(self._file, self._position)
        return taken

    async def follow(self) -> AsyncIterator[Taken | None]:
        """Everything new, for ever; None each time that all has been read (then it waits).

        If the file cannot be read, this tries again and again.
        """
        with contextlib.ExitStack() as held:
            changed = self._watched(held)
            while True:
                try:
                    taken = self._next()
                except OSError as error:
                    log.warning("log.not_read", error=str(error), again_in=_AGAIN)
                    await asyncio.sleep(_AGAIN)
                    continue
                yield taken
                if taken is None:
                    await changed()
                    await asyncio.sleep(GATHER)

    def _next(self) -> Taken | None:
        taken = self.read()
        if taken is None:
            self._rotate()
        return taken

    def _watched(self, held: contextlib.ExitStack) -> Callable[[], Awaitable[object]]:
        """What to await for the next change: inotify, or a pause where the machine has no inotify left."""
        try:
            watch = held.enter_context(Inotify())
            watch.add_watch(self._file.parent, Mask.MODIFY | Mask.CREATE | Mask.MOVED_TO)
        except OSError as error:
            log.warning("log.not_watched", error=str(error), looks_every=_LOOKS_EVERY)
            return lambda: asyncio.sleep(_LOOKS_EVERY)
        return watch.get

    def behind(self) -> int:
        """The number of bytes that were not read; a record that was cut short does not count."""
        file, position = self._where()
        end = LogPosition(position.file_id, _size(file))
        unread = 0 if end == self._looked_at else max(0, end.offset - position.offset)
        return unread + (_size(self._file) if file == self._aside else 0)

    def _where(self) -> tuple[Path, LogPosition]:
        """The file to read, and from where: from the beginning if it is another file."""
        for file in (self._file, self._aside):
            status = _status(file)
            if (
                self._position is not None
                and status is not None
                and status.st_ino == self._position.file_id
                and status.st_size >= self._position.offset
            ):
                return file, self._position
        status = _status(self._file)
        return self._file, LogPosition(status.st_ino if status else 0, 0)

    def _take(self, path: Path, position: LogPosition) -> Taken | None:
        if _status(path) is None:
            return None
        with path.open("rb") as file:
            file.seek(position.offset)
            raw = file.read(_CHUNK)
            found = _records(raw)
            while raw and not found.length and (more := file.read(_CHUNK)):
                raw += more
                found = _records(raw)
        if not found.length:
            self._looked_at = LogPosition(position.file_id, position.offset + len(raw))
            return None
        self._position = LogPosition(position.file_id, position.offset + found.length)
        return Taken(found.rows, self._position, found.skipped)

    def _rotate(self) -> None:
        """Set a large log aside that has been read to its end; the one set aside before it goes."""
        file, position = self._where()
        if file != self._file or position.offset < _ROTATE_AT:
            return
        fresh = self._file.with_suffix(".csv.new")
        # Without room for a new one the old one stays: what the engine writes always has a place.
        with contextlib.suppress(OSError):
            fresh.touch(0o600)
            self._file.rename(self._aside)
            with contextlib.suppress(FileExistsError):  # the engine was faster
                os.link(fresh, self._file)
            fresh.unlink()


class _Found(NamedTuple):
    """The rows of the first ``length`` bytes, and how many records in them make no row."""

    length: int
    rows: list[CelRow]
    skipped: int


def _records(raw: bytes) -> _Found:
    whole = _whole_records(raw)
    rows = _rows(whole)
    if whole and rows is not None:
        return _Found(len(whole), rows, 0)
    return _broken_records(raw)


def _whole_records(raw: bytes) -> bytes:
    """The longest beginning that ends at the end of a record."""
    end, quotes = len(raw), raw.count(b'"')
    while (line := raw.rfind(b"\n", 0, end)) >= 0:
        quotes -= raw.count(b'"', line, end)
        if quotes % 2 == 0:
            return raw[: line + 1]
        end = line
    return b""


def _broken_records(raw: bytes) -> _Found:
    """Records one by one; after a broken one, the next is wherever a whole one begins.

    What follows the last whole record may still be being written.
    """
    rows: list[CelRow] = []
    length = at = skipped = 0
    while True:
        record = _first_record(raw, at)
        found = _rows(record)
        if record and found is not None:
            rows += found
            skipped += at != length
            length = at = at + len(record)
        elif beginning := _BEGINNING.search(raw, at + 1):
            at = beginning.start()
        else:
            return _Found(length, rows, skipped)


def _first_record(raw: bytes, start: int) -> bytes:
    """From here to the first line break outside quotes; empty if there is none."""
    end, quotes = start, 0
    while (line := raw.find(b"\n", end)) >= 0:
        quotes += raw.count(b'"', end, line)
        end = line + 1
        if quotes % 2 == 0:
            return raw[start:end]
    return b""


def _rows(raw: bytes) -> list[CelRow] | None:
    """The rows; None unless these are whole records and nothing else."""
    text = raw.decode("utf-8", "replace").replace("\0", "\ufffd")
    try:
        records = [each for each in csv.reader(io.StringIO(text, newline=""), strict=True) if each]
    except csv.Error:
        return None
    rows = [row for row in map(parse, records) if row is not None]
    return rows if len(rows) == len(records) else None


def _status(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except FileNotFoundError:
        return None


def _size(file: Path) -> int:
    status = _status(file)
    return status.st_size if status else 0
