"""What a call can be exported as. Each file is made piece by piece, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trunkline.api.v1.exports.csv_lines import Csv
from trunkline.api.v1.exports.json_lines import JsonLines
from trunkline.api.v1.exports.parquet import FormatUnavailable as FormatUnavailable
from trunkline.api.v1.exports.parquet import Parquet
from trunkline.store.ports.history import CallRow


class ExportFormat(Protocol):
    """Makes one file: ``begin``, ``rows`` as often as need be, ``end``."""

    media_type: bytes
    suffix: str

    def begin(self) -> bytes:
        """What stands before the first call."""

    def rows(self, calls: Sequence[CallRow]) -> bytes:
        """More calls; may give less than it took, and more later."""

    def end(self) -> bytes:
        """What is left."""


_FORMATS: dict[str, type[Csv | JsonLines | Parquet]] = {
    "csv": Csv,
    "jsonl": JsonLines,
    "parquet": Parquet,
}


def format_called(name: str) -> ExportFormat:
    """A new file of that format; raises FormatUnavailable, KeyError."""
    return _FORMATS[name]()
