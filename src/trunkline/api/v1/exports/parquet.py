"""Calls as Parquet, by pyarrow, which is an extra."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trunkline.api.v1.exports.columns import COLUMNS
from trunkline.store.ports.history import CallRow


class FormatUnavailable(Exception):
    """What makes this format is not installed."""


class Parquet:
    """A row group for each ``GROUP`` calls; times are timestamps in UTC, tags lists of texts."""

    media_type = b"application/vnd.apache.parquet"
    suffix = "parquet"
    GROUP = 10_000

    def __init__(self) -> None:
        """Raises FormatUnavailable."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise FormatUnavailable(
                "Parquet is not installed here: pip install 'pyarrow>=17'"
            ) from None
        self._arrow = pyarrow
        self._sink = io.BytesIO()
        self._schema = pyarrow.schema(
            [(column.name, self._type(column.kind)) for column in COLUMNS]
        )
        self._writer = pyarrow.parquet.ParquetWriter(_Endless(self._sink), self._schema)
        self._waiting: list[tuple[Any, ...]] = []

    def begin(self) -> bytes:
        return self._taken()

    def rows(self, calls: Sequence[CallRow]) -> bytes:
        self._waiting += [tuple(column.typed(call) for column in COLUMNS) for call in calls]
        if len(self._waiting) >= self.GROUP:
            self._write()
        return self._taken()

    def end(self) -> bytes:
        if self._waiting:
            self._write()
        self._writer.close()
        return self._taken()

    def _type(self, kind: Any) -> Any:
        arrow = self._arrow
        return {
            datetime: arrow.timestamp("us", tz="UTC"),
            int: arrow.int64(),
            bool: arrow.bool_(),
            list: arrow.list_(arrow.string()),
            str: arrow.string(),
        }[kind]

    def _write(self) -> None:
        columns = zip(*self._waiting, strict=True)
        arrays = [
            self._arrow.array(column, type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._waiting = []

    def _taken(self) -> bytes:
        made = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return made


class _Endless:
    """A file that is only ever written on: what has been taken from it counts as written."""

    closed = False

    def __init__(self, sink: io.BytesIO) -> None:
        self._sink = sink
        self._written = 0

    def write(self, data: bytes) -> int:
        self._written += len(data)
        return self._sink.write(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """What is behind it stays."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
