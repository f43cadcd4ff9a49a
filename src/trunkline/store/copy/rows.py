"""Rows as PostgreSQL's binary COPY has them: what is loaded, what is read back, and what is compared.

See https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". The same bytes on both
sides are the same row, so nothing is parsed to compare them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from trunkline.store.ports.database import DatabaseUnusable

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_PIECE = 1 << 16
_NULL = b"\xff\xff\xff\xff"
_LENGTH = struct.Struct(">i")

Encode = Callable[[Sequence[Any]], bytes]


class Shape(msgspec.Struct, frozen=True):
    """A table: its columns with PostgreSQL's types, and where its key is among them."""

    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    key: tuple[int, ...]
    by_bytes: tuple[bool, ...]
    """Of each column of the key: is its order that of its bytes (or a number's) in the target too?"""

    @property
    def key_columns(self) -> list[str]:
        """The names of the key's columns."""
        return [self.columns[at] for at in self.key]

    @property
    def in_segments(self) -> bool:
        """Is it walked through one value of the key's first column after the other?"""
        return len(self.key) > 1 and not self.by_bytes[0]

    def encoder(self) -> Encode:
        """Encodes a row, all of its columns in order; raises DatabaseUnusable for one that cannot be."""
        return _encoder(self.table, self.types)

    def key_encoder(self) -> Encode:
        """The same for a key with its number before it."""
        return _encoder(self.table, ("int8", *(self.types[at] for at in self.key)))

    def key_in(self, row: bytes) -> list[Any]:
        """The key of an encoded row, for people."""
        fields = list(_fields(row))
        return [_shown(self.types[at], fields[at]) for at in self.key]


def _text(value: str) -> bytes:
    raw = value.encode()
    if b"\0" in raw:
        raw = raw.replace(b"\0", b"")  # PostgreSQL knows no NUL: store/postgres/text.py
    return _LENGTH.pack(len(raw)) + raw


def _bytea(value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _LENGTH.pack(len(raw)) + raw


def _packed(form: str) -> Callable[[Any], bytes]:
    whole = struct.Struct(">i" + form)
    size = whole.size - 4
    return lambda value: whole.pack(size, value)


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "bool": _packed("?"),
    "int2": _packed("h"),
    "int4": _packed("i"),
    "int8": _packed("q"),
    "float8": _packed("d"),
    "text": _text,
    "varchar": _text,
    "bytea": _bytea,
}


def _encoder(table: str, types: Sequence[str]) -> Encode:
    head = struct.pack(">h", len(types))
    try:
        fields = [_ENCODERS[each] for each in types]
    except KeyError as error:
        raise DatabaseUnusable(
            f"{table} has a column of type {error}, which is not known"
        ) from None

    def encode(row: Sequence[Any]) -> bytes:
        try:
            return head + b"".join(
                [
                    _NULL if value is None else field(value)
                    for field, value in zip(fields, row, strict=True)
                ]
            )
        except (struct.error, AttributeError, TypeError) as error:
            raise DatabaseUnusable(
                f"a row of {table} holds what PostgreSQL cannot: {error}"
            ) from error

    return encode


def pieces(rows: Iterable[bytes]) -> Iterator[bytes]:
    """The rows in larger pieces, with what stands before and after them in a COPY."""
    gathered, size = [HEADER], 0
    for row in rows:
        gathered.append(row)
        size += len(row)
        if size > _PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join([*gathered, TRAILER])


def rows_in(messages: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """The rows of a COPY that PostgreSQL sends, which has one in each message."""
    first = True
    for message in messages:
        row = bytes(message)
        if first:
            row, first = row[len(HEADER) :], False
        if row and row != TRAILER:
            yield row


def _fields(row: bytes) -> Iterator[bytes | None]:
    at = 2
    while at < len(row):
        (length,) = _LENGTH.unpack_from(row, at)
        at += 4
        yield None if length < 0 else row[at : at + length]
        at += max(length, 0)


def _shown(type_: str, field: bytes | None) -> Any:
    if field is None:
        return None
    if type_ in ("int2", "int4", "int8"):
        return int.from_bytes(field, "big", signed=True)
    return field.decode(errors="replace")
