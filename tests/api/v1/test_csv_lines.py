"""Values of a CSV file, as spreadsheets take them."""

from __future__ import annotations

import pytest

from trunkline.api.v1.exports.csv_lines import _cell


@pytest.mark.parametrize("begin", list("=+-@\t\r\n＝＋－＠"))
def test_what_a_spreadsheet_may_take_for_a_formula_is_marked_as_text(begin: str) -> None:
    assert _cell(f"{begin}1") == f"'{begin}1"


@pytest.mark.parametrize("value", ["", "a=1", "Ấn", 5, -5, True])
def test_all_else_stays(value: object) -> None:
    assert _cell(value) == value
