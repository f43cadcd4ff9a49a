"""Follows the engine's log (CEL): rows as they are appended, with the position after them.

Asterisk appends each record with one open, write and close, so a file that was renamed away is
never written to again, and a record that is only half there is one still being written. Fields may
hold line breaks: a record ends at a line break outside quotes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from asyncinotify import Inotify, Mask

from trunkline.calls.log import LogPosition, Row, parse

_CHUNK = 256 * 1024
_ROTATE_AT = 64 * 1024 * 1024


class Taken(NamedTuple):
    """Rows, and where the log stands after them."""

    rows: list[Row]
    position: LogPosition
    skipped: int


class LogFollower:
    """Reads one log file from a position on. Not safe for two readers."""

    def __init__(self, file: Path, position: LogPosition | None) -> None:
        self._file = file
        self._position = position
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(exist_ok=True)

    def read(self) -> Taken | None:
        """What is new, up to 256 KiB of it; None when there is nothing whole."""
        position = self._start()
        with self._file.open("rb") as file:
            file.seek(position.offset)
            raw = file.read(_CHUNK)
            while raw and not (whole := _whole_records(raw)):
                more = file.read(_CHUNK)
                if not more:
                    return None
                raw += more
        if not raw:
            return None
        self._position = LogPosition(position.file_id, position.offset + len(whole))
        rows, skipped = _rows(whole)
        return Taken(rows, self._position, skipped)

    async def follow(self) -> AsyncIterator[Taken | None]:
        """Everything new, for ever; None each time that all has been read (then it waits)."""
        with Inotify() as watch:
            watch.add_watch(self._file.parent, Mask.MODIFY | Mask.CREATE | Mask.MOVED_TO)
            while True:
                while taken := self.read():
                    yield taken
                self._rotate()
                yield None
                await watch.get()

    def behind(self) -> int:
        """How many bytes of the log have not been read."""
        return max(0, self._file.stat().st_size - self._start().offset)

    def _start(self) -> LogPosition:
        status = self._file.stat()
        position = self._position
        if (
            position is None
            or position.file_id != status.st_ino
            or position.offset > status.st_size
        ):
            return LogPosition(status.st_ino, 0)
        return position

    def _rotate(self) -> None:
        """Set a large log that has been read to its end aside; the one before it goes."""
        if self._position is None or self._position.offset < _ROTATE_AT:
            return
        self._file.rename(self._file.with_suffix(".csv.1"))
        self._file.touch()
        last = LogFollower(self._file.with_suffix(".csv.1"), self._position).read()
        if last is not None:  # written between the last read and the rename: read it again, whole
            self._file.with_suffix(".csv.1").rename(self._file)


def _whole_records(raw: bytes) -> bytes:
    """The longest beginning that ends with a record's end."""
    end = len(raw)
    while (end := raw.rfind(b"\n", 0, end)) >= 0:
        if raw.count(b'"', 0, end) % 2 == 0:
            return raw[: end + 1]
    return b""


def _rows(raw: bytes) -> tuple[list[Row], int]:
    text = raw.decode("utf-8", "replace").replace("\0", "\ufffd")
    records = [record for record in csv.reader(io.StringIO(text, newline="")) if record]
    rows = [row for row in map(parse, records) if row is not None]
    return rows, len(records) - len(rows)
