"""Emergency numbers by the command line."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trunkline.cli import app


class Office:
    def __init__(self, data: Path) -> None:
        self.data = data

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--data", str(self.data), *words])

    def made(self, *words: str) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_an_account_has_those_of_its_country(office: Office) -> None:
    made = office.made("account", "create", "acme", "--country", "vn")
    assert (made["country"], made["emergencyNumbers"]) == ("VN", ["112", "113", "114", "115"])
    more = office.made("account", "set", "acme", "--emergency-numbers", "1022, 115")
    assert more["emergencyNumbers"] == ["1022", "112", "113", "114", "115"]
    moved = office.made("account", "set", "acme", "--country", "DE")
    assert moved["emergencyNumbers"] == ["1022", "110", "112", "115"]
    fewer = office.made("account", "set", "acme", "--emergency-numbers", "")
    assert fewer["emergencyNumbers"] == ["110", "112"]
    assert office.made("account", "set", "acme", "--country", "none")["emergencyNumbers"] == ["112", "911"]  # fmt: skip


@pytest.mark.parametrize("code", ["XX", "", "VNM", "84", "V N"])
def test_what_is_no_country_is_refused(code: str, office: Office) -> None:
    result = office.run("account", "create", "acme", "--country", code)
    assert result.exit_code == 1
    assert "--country" in result.output


@pytest.mark.parametrize("number", ["+84113", "1", "123456789", "11a", "*112"])
def test_what_is_no_short_number_is_refused(number: str, office: Office) -> None:
    result = office.run("account", "create", "acme", "--emergency-numbers", number)
    assert result.exit_code == 1
    assert "--emergency-numbers" in result.output


def test_no_extension_hides_one(office: Office) -> None:
    office.made("account", "create", "acme", "--country", "VN")
    for words in (
        ("user", "create", "--account", "acme", "an", "--extension", "113"),
        ("extension", "create", "112", "--account", "acme", "--to", "hangup:busy"),
    ):
        result = office.run(*words)
        assert result.exit_code == 1
        assert "emergency number" in result.output
    office.made("user", "create", "--account", "acme", "bo", "--extension", "110")
    result = office.run("account", "set", "acme", "--country", "DE")
    assert result.exit_code == 1
    assert "extension 110" in result.output
    assert office.made("account", "show", "acme")["country"] == "VN"


def test_doctor_finds_an_extension_from_before(office: Office) -> None:
    office.made("account", "create", "acme")
    office.made("user", "create", "--account", "acme", "an", "--extension", "912")
    assert {"ok": True, "name": "emergency"}.items() <= _finding(office).items()
    with sqlite3.connect(office.data / "trunkline.db") as connection:
        connection.execute("UPDATE extensions SET number = '911'")
    found = _finding(office)
    assert (found["ok"], found["detail"]) == (False, "hidden by extensions: 911 of acme")


def _finding(office: Office) -> Any:
    findings = json.loads(office.run("doctor", "--json").stdout)
    return next(each for each in findings if each["name"] == "emergency")
