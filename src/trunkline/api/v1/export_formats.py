"""Calls as files: CSV, JSON lines, Parquet. Each is made piece by piece, in bounded memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from trunkline.api.v1.call_shown import shown, trunk_id
from trunkline.calls.times import maybe, rfc3339
from trunkline.db.history_port import CallRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

COLUMNS = (
    "call_id", "started_at", "answered_at", "ended_at", "class", "direction", "status_detail",
    "hangup_cause", "caller_number", "caller_username", "caller_name", "callee_number",
    "callee_username", "callee_name", "did_number", "duration_seconds", "billing_seconds",
    "ringing_seconds", "recording", "client_ref", "trunk", "engine_died", "note", "tags", "update",
    "hold",
)  # fmt: skip
"""Of CSV and Parquet."""
_TIMES = ("started_at", "answered_at", "ended_at")
_WHOLE = ("duration_seconds", "billing_seconds", "ringing_seconds", "update")


class FormatUnavailable(Exception):
    """What makes this format is not installed."""


class Format(Protocol):
    """Makes one file: ``begin``, ``rows`` as often as need be, ``end``."""

    media_type: bytes
    suffix: str

    def begin(self) -> bytes:
        """What stands before the first call."""

    def rows(self, calls: Sequence[CallRow]) -> bytes:
        """More calls; may give less than it took, and more later."""

    def end(self) -> bytes:
        """What is left."""


class Csv:
    """RFC 4180 in UTF-8, a head line, texts in quotes, tags separated by commas in their cell."""

    media_type = b"text/csv; charset=utf-8; header=present"
    suffix = "csv"

    def begin(self) -> bytes:
        """The head line."""
        return self._lines([list(COLUMNS)])

    def rows(self, calls: Sequence[CallRow]) -> bytes:
        """A line for each."""
        return self._lines([[_cell(value) for value in _flat(call)] for call in calls])

    def end(self) -> bytes:
        """Nothing."""
        return b""

    def _lines(self, rows: list[list[Any]]) -> bytes:
        made = io.StringIO(newline="")
        csv.writer(made, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
        return made.getvalue().encode("utf-8", "replace")


class JsonLines:
    """A call a line, as GET /v1/calls shows it."""

    media_type = b"application/jsonl"
    suffix = "jsonl"

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def rows(self, calls: Sequence[CallRow]) -> bytes:
        """A line for each."""
        return self._encoder.encode_lines([shown(call) for call in calls])

    def end(self) -> bytes:
        """Nothing."""
        return b""


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
        self._schema = pyarrow.schema([(name, self._type(name)) for name in COLUMNS])
        self._writer = pyarrow.parquet.ParquetWriter(_Endless(self._sink), self._schema)
        self._waiting: list[tuple[Any, ...]] = []

    def begin(self) -> bytes:
        """The magic number."""
        return self._taken()

    def rows(self, calls: Sequence[CallRow]) -> bytes:
        """A row group, once there are enough."""
        self._waiting += [_typed(call) for call in calls]
        if len(self._waiting) >= self.GROUP:
            self._write()
        return self._taken()

    def end(self) -> bytes:
        """The last row group and the foot."""
        if self._waiting:
            self._write()
        self._writer.close()
        return self._taken()

    def _type(self, name: str) -> Any:
        arrow = self._arrow
        if name in _TIMES:
            return arrow.timestamp("us", tz="UTC")
        if name in _WHOLE:
            return arrow.int64()
        if name in ("engine_died", "hold"):
            return arrow.bool_()
        return arrow.list_(arrow.string()) if name == "tags" else arrow.string()

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


_FORMATS: dict[str, type[Csv | JsonLines | Parquet]] = {
    "csv": Csv,
    "jsonl": JsonLines,
    "parquet": Parquet,
}


def format_called(name: str) -> Format:
    """A new file of that format; raises FormatUnavailable, KeyError."""
    return _FORMATS[name]()


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _flat(call: CallRow) -> tuple[Any, ...]:
    """The columns as texts and whole numbers."""
    made = list(_typed(call))
    made[1:4] = rfc3339(call.started_at), maybe(call.answered_at), rfc3339(call.ended_at)
    made[COLUMNS.index("engine_died")] = "true" if call.engine_died else "false"
    made[COLUMNS.index("hold")] = "true" if call.hold else "false"
    made[COLUMNS.index("tags")] = ",".join(call.tags)
    return tuple(made)


def _typed(call: CallRow) -> tuple[Any, ...]:
    """The columns, in order."""
    caller, callee = call.caller, call.callee
    return (
        call.call_id,
        _stamp(call.started_at),
        None if call.answered_at is None else _stamp(call.answered_at),
        _stamp(call.ended_at),
        call.class_,
        call.direction,
        call.status_detail,
        call.hangup_cause,
        caller.number,
        caller.username,
        caller.name,
        callee.number,
        callee.username,
        callee.name,
        call.did_number,
        call.duration_seconds,
        call.billing_seconds,
        call.ringing_seconds,
        call.recording or None,
        call.client_ref,
        trunk_id(call.trunk),
        call.engine_died,
        call.note,
        list(call.tags),
        call.update,
        call.hold,
    )


def _stamp(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)
