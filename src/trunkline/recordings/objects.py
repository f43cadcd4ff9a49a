"""Keeps recordings in any place that obstore reaches."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import NotFoundError, PreconditionError
from obstore.store import ObjectStore as Objects

from trunkline.calls.recording_names import STORED_NAME, peaks_of, recording_of
from trunkline.recordings.port import RecordingMissing

if TYPE_CHECKING:
    from obstore import GetOptions

_GONE = (NotFoundError, FileNotFoundError)  # which of them depends on obstore's version
_PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes as a part of an upload
_PIECE_BYTES = 64 * 1024


class ObjectStore:
    """A ``Store`` over objects whose ``put`` is whole or not at all by itself (memory, S3)."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def put(self, name: str, file: Path) -> None:
        """Raises ValueError for a name that no recording can have, OSError, and obstore's errors."""
        await self._copy(file, checked(name))

    async def size(self, name: str) -> int:
        """Raises RecordingMissing also for a name that no recording can have."""
        try:
            return (await obstore.head_async(self._objects, _checked_to_find(name)))["size"]
        except _GONE as error:
            raise RecordingMissing(name) from error

    async def stream(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Pieces have 64 KiB at most, and nothing is open between two of them: a thousand who read slowly take no file.

        Raises RecordingMissing also amid it, where another file has taken the name, or it was deleted.
        """
        if start >= end:
            await self.size(name)
            return
        named = _checked_to_find(name)
        try:
            first = await obstore.head_async(self._objects, named)
            for at in range(start, end, _PIECE_BYTES):
                wanted: GetOptions = {"range": (at, min(at + _PIECE_BYTES, end))}
                if first["e_tag"] is not None:
                    wanted["if_match"] = first["e_tag"]
                found = await obstore.get_async(self._objects, named, options=wanted)
                yield bytes(await found.bytes_async())
        except (*_GONE, PreconditionError) as error:
            raise RecordingMissing(name) from error

    async def delete(self, name: str) -> None:
        """Its peaks go, too. A name that no recording can have is no error either."""
        if STORED_NAME.fullmatch(name):
            for each in {name, peaks_of(recording_of(name))}:
                with contextlib.suppress(*_GONE):
                    await obstore.delete_async(self._objects, each)

    async def _copy(self, file: Path, path: str) -> None:
        await obstore.put_async(
            self._objects, path, file, chunk_size=_PART_BYTES, max_concurrency=2
        )


def checked(name: str) -> str:
    """The name; raises ValueError for one that no recording can have."""
    if not STORED_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a recording's name")
    return name


def _checked_to_find(name: str) -> str:
    if not STORED_NAME.fullmatch(name):
        raise RecordingMissing(name)
    return name
