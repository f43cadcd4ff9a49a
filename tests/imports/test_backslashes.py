"""Exports that MySQL wrote itself (INTO OUTFILE) are told from all other CSV, and read right."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.history.imports import rows
from trunkline.history.imports.leg import Skipped

from .reading import SAMPLES, Read, short

TABLES = {
    "asterisk.csv": ",", "asterisk-custom.csv": ",", "freepbx.csv": ";", "fusionpbx.csv": "\t",
    "kazoo.csv": ",", "wazo.csv": ",",
}  # fmt: skip
CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\\",;\t|\n'))
TABLE = st.integers(2, 6).flatmap(
    lambda width: st.lists(
        st.lists(st.none() | CELL, min_size=width, max_size=width), min_size=1, max_size=8
    )
)


def outfile(table: list[list[str | None]], delimiter: str = ",", enclosed: bool = True) -> str:
    """As MySQL's documentation says that SELECT … INTO OUTFILE writes it, with ESCAPED BY '\\\\'."""

    def cell(value: str | None) -> str:
        if value is None:
            return "\\N"
        special = '"\\\n' if enclosed else f"\\\n{delimiter}"
        text = "".join(f"\\{char}" if char in special else char for char in value)
        return f'"{text}"' if enclosed else text

    return "".join(delimiter.join(map(cell, row)) + "\n" for row in table)


def rfc4180(table: list[list[str | None]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["" if cell is None else cell for cell in row] for row in table])
    return out.getvalue()


def table_of(name: str) -> list[list[str | None]]:
    text = (SAMPLES / name).read_text("utf-8-sig")
    return [list(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=TABLES[name])]


def read(text: str) -> list[list[str]]:
    found = [row.cells for row in rows.csv_rows(io.StringIO(text, newline=""))]
    assert not any(isinstance(cells, Skipped) for cells in found), found
    return [list(map(str, cells)) for cells in found]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("delimiter", "enclosed"), [(",", True), ("\t", False), (";", False)])
def test_every_format_is_read_as_mysql_writes_it(name: str, delimiter: str, enclosed: bool) -> None:
    table = [[cell or None for cell in row] for row in table_of(name)]
    expected = Read((SAMPLES / name).read_bytes())

    found = Read(outfile(table, delimiter, enclosed).encode())

    assert found.form == expected.form
    assert [short(record) for record in found.records] == [
        short(record) for record in expected.records
    ]
    assert [record.caller.name for record in found.records] == [
        record.caller.name for record in expected.records
    ]


def test_a_comma_and_quotes_in_the_callers_name_of_the_first_row() -> None:
    head, first, *more = table_of("freepbx.csv")
    first[1] = '"Smith, "Bo" \\ Co" <101>'
    first[19] = None

    (record, *others) = Read(outfile([head, first, *more]).encode()).records

    assert record.caller.name == 'Smith, "Bo" \\ Co'
    assert len(others) == 3


def test_the_table_without_the_names_of_its_columns() -> None:
    expected = Read((SAMPLES / "freepbx.csv").read_bytes())
    _, *table = table_of("freepbx.csv")

    found = Read(outfile(table).encode())

    assert found.form == "freepbx"
    assert [short(record) for record in found.records] == [
        short(record) for record in expected.records
    ]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("text", ["DOMAIN\\user", "\\", "C:\\dir\\", '\\"', 'a\\"b', "\\N", "\\\\"])
def test_a_backslash_in_any_other_file_is_itself(name: str, text: str) -> None:
    table = table_of(name)
    for row in table[1:]:
        row[-1] = text

    assert read(rfc4180(table)) == [[cell or "" for cell in row] for row in table]


def test_a_backslash_at_the_end_of_some_cells() -> None:
    table: list[list[str | None]] = [["a", "b\\", "c"], ["1", "2", "3\\"], ["\\", "\\", "\\"]]

    assert read(rfc4180(table)) == table


@given(TABLE, st.sampled_from([",", ";", "\t"]))
def test_rfc_4180_is_never_taken_for_mysqls(table: list[list[str | None]], delimiter: str) -> None:
    head: list[str | None] = [f"column {n}" for n in range(len(table[0]))]

    found = read(rfc4180([head, *table], delimiter))

    given = [[cell or "" for cell in row] for row in [head, *table]]
    assert found == [row for row in given if any(row)]


@given(TABLE)
def test_mysqls_is_read_where_a_quote_tells(table: list[list[str | None]]) -> None:
    width = len(table[0])
    told: list[str | None] = ['"An" <101>'] * width

    found = read(outfile([told, *table]))

    given = [[cell or "" for cell in row] for row in [told, *table]]
    assert found == [row for row in given if any(row)]
