"""Calls as JSON lines."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trunkline.api.v1.call_fields import shown
from trunkline.store.ports.history import CallRow


class JsonLines:
    """A call a line, as GET /v1/calls shows it."""

    media_type = b"application/jsonl"
    suffix = "jsonl"

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()

    def begin(self) -> bytes:
        return b""

    def rows(self, calls: Sequence[CallRow]) -> bytes:
        return self._encoder.encode_lines([shown(call) for call in calls])

    def end(self) -> bytes:
        return b""
