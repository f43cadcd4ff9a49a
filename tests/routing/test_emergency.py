"""Emergency numbers, by country."""

from __future__ import annotations

import pytest

from trunkline.routing.emergency import emergency_numbers, is_country


@pytest.mark.parametrize(
    ("country", "numbers"),
    [
        ("VN", "112 113 114 115"),
        ("DE", "110 112"),
        ("GB", "112 999"),
        ("US", "112 911"),
        ("FR", "112 15 17 18"),
        ("AU", "000 106 112"),
        ("JP", "110 112 119"),
        ("SE", "112 90000"),
        ("AQ", "112"),
        (None, "112 911"),
    ],
)
def test_a_country_has_its_own_and_112(country: str | None, numbers: str) -> None:
    assert emergency_numbers(country, ()) == tuple(numbers.split())


def test_what_is_listed_comes_beside_them() -> None:
    assert emergency_numbers("VN", ("1022", "113")) == ("1022", "112", "113", "114", "115")


@pytest.mark.parametrize("code", ["VN", "DE", "US"])
def test_what_a_country_is(code: str) -> None:
    assert is_country(code)


@pytest.mark.parametrize("code", ["", "V", "VNM", "XX", "ZZ", "84", "vn", "001"])
def test_what_a_country_is_not(code: str) -> None:
    assert not is_country(code)
