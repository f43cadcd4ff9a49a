"""Writing finished calls from a process of its own, not the server's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trunkline.calls.record import CallRecord


class CallWriter(Protocol):
    """Writes many finished calls, or only looks which would be new."""

    def write(self, records: Sequence[CallRecord]) -> list[bool]:
        """Write them in one transaction, with their counts; for each, whether it was new.

        What is acknowledged is on the disk. Raises DatabaseUnavailable, and then none is written.
        """

    def close(self) -> None:
        """Close what it has open."""
