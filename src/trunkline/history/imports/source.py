"""One file of another phone system: its format, and its rows as legs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from trunkline.history.imports import asterisk, freepbx, rows
from trunkline.history.imports.formats import FORMATS, missing, recognised
from trunkline.history.imports.leg import Cells, ForeignLeg, Skipped, Unusable
from trunkline.history.imports.rows import ForeignRow

_BEGINNING = 4096

Columns = Callable[[Sequence[str]], tuple[str, ...] | None]
_WITHOUT_A_HEAD: Mapping[str, Columns] = {"asterisk": asterisk.columns, "freepbx": freepbx.columns}
"""For formats whose files may have no header: the columns' names, told from the first row."""


class NotRecognised(Exception):
    """A file is of no format that is known, or lacks a column that its format needs."""


class Read(NamedTuple):
    line: int
    leg: ForeignLeg | Skipped


class ForeignHistory:
    """A file's legs, as a stream. ``form`` is a format's name; with None the format is recognised.

    ``renamed`` maps columns of the file to the names by which the format knows them. Raises
    NotRecognised before the first leg.
    """

    def __init__(
        self, file: BinaryIO, form: str | None, zone: ZoneInfo, renamed: Mapping[str, str]
    ) -> None:
        self._zone = zone
        self._renamed = {rows.column(theirs): rows.column(ours) for theirs, ours in renamed.items()}
        beginning = file.read(_BEGINNING)
        file.seek(0)
        if rows.is_json(beginning):
            self._rows = self._objects(file)
        else:
            self._rows = self._table(rows.csv_rows(rows.lines(file)), form)
        first = next(self._rows, None)
        self._rows = chain([] if first is None else [first], self._rows)
        self.form = self._form(form, first)

    def legs(self) -> Iterator[Read]:
        for row in self._rows:
            yield Read(row.line, self._leg(row))

    def _leg(self, row: ForeignRow) -> ForeignLeg | Skipped:
        cells = row.cells
        if isinstance(cells, Skipped):
            return cells
        assert isinstance(cells, Mapping)
        try:
            return FORMATS[self.form].read(cells, self._zone)
        except Unusable as unusable:
            return unusable.skipped

    def _form(self, form: str | None, first: ForeignRow | None) -> str:
        if first is None:
            return form or "asterisk"
        if isinstance(first.cells, Skipped):
            if form is None:
                raise NotRecognised("its first row cannot be read: say what it is with --format")
            return form
        assert isinstance(first.cells, Mapping)
        found = form or recognised(first.cells)
        if found is None:
            raise NotRecognised(
                f"it has the columns {_listed(first.cells)}: none of the formats that are known has them all; "
                "name the format with --format, and columns that have other names with --map"
            )
        if lacking := missing(found, first.cells):
            raise NotRecognised(
                f"as {found} it lacks the column {', '.join(lacking)}; it has {_listed(first.cells)}: "
                "name those that are called otherwise with --map"
            )
        return found

    def _objects(self, file: BinaryIO) -> Iterator[ForeignRow]:
        for row in rows.json_rows(file):
            cells = row.cells
            if self._renamed and isinstance(cells, Mapping):
                cells = {self._renamed.get(key, key): cells[key] for key in cells}
            yield ForeignRow(row.line, cells)

    def _table(self, table: Iterator[ForeignRow], form: str | None) -> Iterator[ForeignRow]:
        """Rows by the names in the first one, or by their places where the first one is already a call."""
        first = next(table, None)
        if first is None:
            return
        if isinstance(first.cells, Skipped):
            raise NotRecognised(f"line {first.line} cannot be read: {first.cells.detail}")
        assert isinstance(first.cells, Sequence)
        head = tuple(map(rows.column, first.cells))
        for name, columns in _WITHOUT_A_HEAD.items():
            if form in (None, name) and columns(first.cells) is not None:
                yield from (_by_place(row, columns) for row in chain([first], table))
                return
        names = [self._renamed.get(name, name) for name in head]
        for row in table:
            if isinstance(row.cells, Skipped):
                yield row
                continue
            cells = list(row.cells)
            if (
                tuple(map(rows.column, cells[:2])) != head[:2]
            ):  # else a header again: files put together
                yield ForeignRow(row.line, rows.named(names, cells))


def _by_place(row: ForeignRow, columns: Columns) -> ForeignRow:
    if isinstance(row.cells, Skipped):
        return row
    cells = list(row.cells)
    names = columns(cells)
    if names is None:
        return ForeignRow(
            row.line, Skipped("columns_differ", f"{len(cells)} columns are no row of it")
        )
    return ForeignRow(row.line, dict(zip(names, cells, strict=True)))


def _listed(cells: Cells) -> str:
    return ", ".join(list(cells)[:40])
