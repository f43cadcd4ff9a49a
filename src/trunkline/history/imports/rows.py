"""The rows of a text file as mappings: CSV with any delimiter, JSON arrays and JSON lines.

A file is read as a stream, whatever its size. A row that cannot be read becomes a Skipped in its place,
and reading goes on after it.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from trunkline.history.imports import backslashes
from trunkline.history.imports.leg import Cells, Skipped

_DELIMITERS = ",;\t|"
_LONGEST_LINE = 1 << 20
_PIECE = 1 << 18
_SAMPLE = 1 << 21
_LONGEST_OBJECT = 1 << 20
_ENVELOPE = re.compile(r'"(?:data|items)"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,\[\]]*")
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class ForeignRow(NamedTuple):
    """A row, or why it is none. ``line`` is the line on which it ends or, in JSON, its number."""

    line: int
    cells: Sequence[str] | Cells | Skipped


def is_json(beginning: bytes) -> bool:
    """Does a file with this beginning (at least its first 64 bytes) hold JSON?"""
    return beginning.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[")


def lines(file: BinaryIO) -> Iterator[str]:
    """The file's lines with their ends: UTF-8, UTF-16 with a mark, else each line as Windows-1252."""
    start = file.read(2)
    if start in _UTF_16:
        yield from _decoded(file, _UTF_16[start])
        return
    file.seek(0)
    first = file.readline(_LONGEST_LINE)
    more = iter(lambda: file.readline(_LONGEST_LINE), b"")
    for line in chain([first.removeprefix(codecs.BOM_UTF8)], more):
        try:
            yield line.decode()
        except UnicodeDecodeError:
            yield line.decode("cp1252", "replace")


def _decoded(file: BinaryIO, encoding: str) -> Iterator[str]:
    decoder, rest = codecs.getincrementaldecoder(encoding)("replace"), ""
    while piece := file.read(_PIECE):
        *whole, rest = (rest + decoder.decode(piece)).split("\n")
        yield from (f"{line}\n" for line in whole)
    yield rest + decoder.decode(b"", final=True)


def csv_rows(text: Iterable[str]) -> Iterator[ForeignRow]:
    """Every row that is not empty, as a list of cells."""
    text = iter(text)
    sample = list(_beginning(text))
    delimiter = _delimiter(sample[0] if sample else "")
    whole = chain(sample, text)
    quoting = backslashes.quoting(sample, delimiter)
    if quoting is None:
        reader = csv.reader(whole, delimiter=delimiter)
    else:
        reader = backslashes.reader(whole, delimiter, quoting)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield ForeignRow(reader.line_num, Skipped("row_unreadable", str(error)))
            continue
        if any(cells):
            yield ForeignRow(reader.line_num, cells)


def _beginning(text: Iterator[str]) -> Iterator[str]:
    """The first lines, as many as it takes to tell how cells are quoted."""
    left = _SAMPLE
    for line in text:
        yield line
        left -= len(line)
        if left < 0:
            return


def _delimiter(line: str) -> str:
    """The delimiter that stands most often outside quotes in this line."""
    outside = re.sub(r'"[^"]*"', "", line)
    return max(_DELIMITERS, key=outside.count)


def column(name: str) -> str:
    """A column's name in the spelling in which all formats look for it."""
    return "_".join(name.strip().strip('"').lower().replace("-", "_").split())


def named(names: Sequence[str], cells: Sequence[str]) -> Cells | Skipped:
    """The row by its columns' names; Skipped where it has more cells than names: a delimiter was not quoted."""
    if len(cells) > len(names) and any(cells[len(names) :]):
        return Skipped("columns_differ", f"{len(cells)} columns, and {len(names)} names")
    return dict(zip(names, cells, strict=False))


def json_rows(file: BinaryIO) -> Iterator[ForeignRow]:
    """The objects of an array, of an envelope's ``data`` or ``items``, or of JSON lines."""
    objects = _Objects(file)
    for number, value in enumerate(objects.all(), start=1):
        if isinstance(value, Mapping):
            yield ForeignRow(number, {column(str(key)): value[key] for key in value})
        elif isinstance(value, Skipped):
            yield ForeignRow(number, value)
        else:
            yield ForeignRow(number, Skipped("row_unreadable", "not an object"))


class _Objects:
    """Decodes values one by one from a buffer (the standard library's decoder can begin anywhere in a text)."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._text = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._buffer, self._at, self._ended = "", 0, False
        self._in_envelope = False
        self._decode = json.JSONDecoder().raw_decode

    def all(self) -> Iterator[Any]:
        """Every value; a Skipped in the place of one that cannot be read."""
        self._more()
        self._enter()
        while self._at_value():
            yield self._next()

    def _enter(self) -> None:
        """An envelope's own keys are not rows."""
        found = _ENVELOPE.search(self._buffer)
        if found is None or not self._buffer.lstrip().startswith("{"):
            return
        head = self._buffer[: found.start()]
        if "\n{" not in head and head.count("{") - head.count("}") == 1:
            self._at, self._in_envelope = found.end(), True

    def _at_value(self) -> bool:
        """Go to the next value; False at the end, and after an envelope's array."""
        while True:
            found = _BETWEEN.match(self._buffer, self._at)
            assert found is not None  # it matches nothing, too
            self._at = found.end()
            if self._in_envelope and "]" in found.group():
                return False
            if self._at < len(self._buffer):
                return True
            if self._ended:
                return False
            self._more()

    def _next(self) -> Any:
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if self._ended or len(self._buffer) - self._at > _LONGEST_OBJECT:
                    self._at = self._resume()
                    return Skipped("row_unreadable", str(error)[:80])
            else:
                if end < len(self._buffer) or self._ended:
                    self._at = end
                    return value
            self._more()

    def _resume(self) -> int:
        """Where the next object may begin: on the next line, or after the next end of an object."""
        ends = (self._buffer.find(mark, self._at + 1) for mark in ("\n", "},"))
        return min((end + 1 for end in ends if end >= 0), default=len(self._buffer))

    def _more(self) -> None:
        piece = self._file.read(_PIECE)
        self._ended = not piece
        self._buffer = self._buffer[self._at :] + self._text.decode(piece, final=self._ended)
        self._at = 0
