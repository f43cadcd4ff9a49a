"""What may be asked of a place that keeps recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class RecordingMissing(Exception): ...


class Store(Protocol):
    """Keeps finished recordings under their public names."""

    async def put(self, name: str, file: Path) -> None:
        """Store the file under the name, whole or not at all; an older one is replaced."""

    async def size(self, name: str) -> int:
        """Bytes; raises RecordingMissing."""

    def stream(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes [start, end) in pieces; raises RecordingMissing before the first, or where it is gone amid them."""

    async def delete(self, name: str) -> None:
        """Remove it; one that is gone already is no error."""
