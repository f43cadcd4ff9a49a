"""Calls as files: CSV, JSON lines, Parquet. Each is made piece by piece, in bounded memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import msgspec

from trunkline.api.v1.call_fields import FIELDS, CallField, CallParty
from trunkline.api.v1.call_shown import shown
from trunkline.calls.facts import Party
from trunkline.store.ports.history import CallRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Cell(NamedTuple):
    """A column: what it has of a call for Parquet, and as a text or a whole number for CSV."""

    name: str
    kind: Any
    typed: Callable[[CallRow], Any]
    flat: Callable[[CallRow], Any]


def _cells() -> Iterator[_Cell]:
    for field in FIELDS:
        if field.plain is Party:
            for part in CallParty.__struct_fields__:
                read = attrgetter(f"{field.name}.{part}")
                yield _Cell(f"{field.name}_{part}", str, read, read)
        else:
            yield _of_field(field)


def _of_field(field: CallField) -> _Cell:
    name, show, read = field.name, field.show, attrgetter(field.name)

    def shown(call: CallRow) -> Any:
        return show(read(call))

    if name.endswith("_at"):
        return _Cell(field.key, datetime, lambda call: _stamp(read(call)), shown)
    if field.plain is bool:
        return _Cell(field.key, bool, read, lambda call: "true" if read(call) else "false")
    if name == "tags":
        return _Cell(field.key, list, shown, lambda call: ",".join(read(call)))
    return _Cell(field.key, int if field.plain is int else str, shown, shown)


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
        self._schema = pyarrow.schema([(cell.name, self._type(cell.kind)) for cell in _CELLS])
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


def _flat(call: CallRow) -> list[Any]:
    """The columns as texts and whole numbers."""
    return [cell.flat(call) for cell in _CELLS]


def _typed(call: CallRow) -> tuple[Any, ...]:
    return tuple(cell.typed(call) for cell in _CELLS)


def _stamp(at: int | None) -> datetime | None:
    return None if at is None else _EPOCH + timedelta(microseconds=at)


_CELLS = tuple(_cells())
COLUMNS = tuple(cell.name for cell in _CELLS)
"""Of CSV and Parquet."""
