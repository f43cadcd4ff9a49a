"""Reads who gave wrong SIP passwords, as our module of the engine writes it (``guard/res_failed_logins.c``).

The file is renamed, read and deleted, so it stays small. What was written while we were away is
told at the next start; after a kill between the two, some of it is told twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import structlog

from trunkline.engine.port import LoginFailed

log = structlog.get_logger()

_LOOKS_EVERY = 0.5
"""Seconds. The engine writes once a second."""
_decode = msgspec.json.Decoder(LoginFailed).decode


class FailedLogins:
    """The failed logins of the engine in ``home``. Not safe for two readers."""

    def __init__(self, home: Path) -> None:
        self._file = home / "log" / "failed-logins.jsonl"
        self._older = self._file.with_name(f"{self._file.name}.1")
        self._taken = self._file.with_name(f"{self._file.name}.taken")

    async def follow(self) -> AsyncIterator[list[LoginFailed]]:
        """What is new, for ever; a file that cannot be read is tried again."""
        while True:
            for file in (self._taken, self._older, self._file):
                try:
                    found = self._read(file)
                except OSError as error:
                    log.warning("failed_logins.not_read", error=str(error))
                    break
                if found:
                    yield found
                self._taken.unlink(missing_ok=True)
            await asyncio.sleep(_LOOKS_EVERY)

    def _read(self, file: Path) -> list[LoginFailed]:
        try:
            if file != self._taken:
                file.rename(self._taken)
            return list(_rows(self._taken.read_bytes()))
        except FileNotFoundError:
            return []


def _rows(raw: bytes) -> Iterator[LoginFailed]:
    """A line that a kill or a full disk cut short is left out."""
    for line in raw.splitlines():
        try:
            yield _decode(line)
        except msgspec.DecodeError:
            continue
