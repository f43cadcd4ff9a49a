"""extension, announcement and route, and where numbers and users lead: made, listed, refused, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trunkline.cli import app
from work.test_prompts import wav

Run = Callable[..., Result]
ACME = ("--account", "acme")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, ["--data", str(tmp_path / "data"), *words])

    for words in (
        ("account", "create", "acme"),
        ("user", "create", "an", *ACME, "--extension", "101"),
        ("user", "create", "bo", *ACME, "--extension", "102"),
        ("trunk", "create", "far", *ACME, "--host", "10.0.0.1"),
    ):
        assert invoke(*words).exit_code == 0
    return invoke


def made(run: Run, *words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(run: Run, *words: str) -> str:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize(
    ("to", "shown"),
    [
        ("user:an", "user:an"),
        ("outside:+84 (28) 7301", "outside:+84287301"),
        ("hangup:busy", "hangup:busy"),
        ("hangup:NUMBER_CHANGED", "hangup:number_changed"),
    ],
)
def test_numbers_and_extensions_lead_to_every_kind(to: str, shown: str, run: Run) -> None:
    assert made(run, "number", "create", "842873019555", *ACME, "--to", to)["to"] == shown
    assert made(run, "extension", "create", "700", *ACME, "--to", to)["to"] == shown
    assert made(run, "extension", "create", "701", *ACME, "--to", to)["to"] == shown
    assert [each["number"] for each in made(run, "extension", "list")][-2:] == ["700", "701"]
    assert made(run, "extension", "delete", "701", *ACME)["deleted"] is True
    assert made(run, "extension", "show", "700", *ACME)["to"] == shown


def test_numbers_and_extensions_are_led_elsewhere(run: Run) -> None:
    assert made(run, "account", "create", "others")["name"] == "others"
    made(run, "number", "create", "842873019555", *ACME, "--to", "user:an")
    made(run, "number", "create", "842873019556", *ACME, "--to", "user:an")

    led = made(run, "number", "set", "842873019555", *ACME, "--to", "user:bo")

    assert (led["did"], led["to"], led["username"]) == ("842873019555", "user:bo", "bo")
    assert made(run, "extension", "set", "101", *ACME, "--to", "hangup:busy")["to"] == "hangup:busy"
    assert [each["to"] for each in made(run, "number", "list")] == ["user:bo", "user:an"]
    assert made(run, "user", "show", "an", *ACME)["extension"] is None
    assert "no number '123'" in refusal(run, "number", "set", "123", *ACME, "--to", "user:bo")
    foreign = ("number", "set", "842873019555", "--account", "others", "--to", "hangup:busy")
    assert "no number '842873019555'" in refusal(run, *foreign)
    assert "no user 'cy'" in refusal(run, "extension", "set", "102", *ACME, "--to", "user:cy")


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("an", "take one of user:USERNAME, outside:NUMBER, hangup:CAUSE, announcement:NAME"),
        ("user:", "is no destination"),
        ("user:nobody", "there is no user 'nobody'"),
        ("announcement:none", "there is no announcement 'none'"),
        ("outside:12x", "is not a number"),
        ("outside:1,9", "is not a number"),
        ("hangup:never", "is no cause"),
        ("queue:sales", "is no destination"),
    ],
)
def test_what_is_no_destination_is_refused(to: str, says: str, run: Run) -> None:
    assert says in refusal(run, "number", "create", "84287", *ACME, "--to", to)
    assert says in refusal(run, "extension", "create", "700", *ACME, "--to", to)
    assert says in refusal(run, "user", "set", "an", *ACME, "--busy", to)


def test_an_extension_is_given_once(run: Run) -> None:
    assert "leads to user:an" in refusal(
        run, "extension", "create", "101", *ACME, "--to", "user:bo"
    )
    assert "2 to 7 digits" in refusal(run, "extension", "create", "1,9", *ACME, "--to", "user:bo")


def test_another_accounts_user_is_no_destination(run: Run) -> None:
    made(run, "account", "create", "other")
    other = ("--account", "other")
    assert "no user 'an'" in refusal(run, "extension", "create", "700", *other, "--to", "user:an")


def test_a_users_calls_go_on(run: Run) -> None:
    ways = ("--busy", "user:bo", "--no-answer", "outside:0901", "--offline", "hangup:busy")
    user = made(run, "user", "set", "an", *ACME, *ways)
    assert (user["busy"], user["noAnswer"], user["offline"]) == (
        "user:bo",
        "outside:0901",
        "hangup:busy",
    )
    user = made(run, "user", "set", "an", *ACME, "--busy", "")
    assert (user["busy"], user["noAnswer"]) == (None, "outside:0901")


def test_what_is_in_use_is_not_deleted_and_says_who_uses_it(run: Run, tmp_path: Path) -> None:
    file = str(wav(tmp_path / "a.wav", 16_000, 2, 1))
    made(run, "announcement", "create", "closed", *ACME, "--file", file, "--next", "user:bo")
    made(run, "user", "set", "an", *ACME, "--offline", "announcement:closed")
    made(run, "number", "create", "84287", *ACME, "--to", "announcement:closed")
    said = refusal(run, "announcement", "delete", "closed", *ACME)
    assert "calls go to announcement 'closed' from number 84287, user:an (offline)" in said
    said = refusal(run, "user", "delete", "bo", *ACME)
    assert "from announcement:closed (next)" in said
    made(run, "number", "delete", "84287", *ACME)
    made(run, "user", "set", "an", *ACME, "--offline", "")
    assert list((tmp_path / "data/prompts").iterdir()) != []
    assert made(run, "announcement", "delete", "closed", *ACME)["deleted"] is True
    assert list((tmp_path / "data/prompts").iterdir()) == []
    assert made(run, "announcement", "list") == []
    made(run, "user", "delete", "bo", *ACME)


def test_an_announcement_is_made_of_a_file_or_a_text(run: Run, tmp_path: Path) -> None:
    create = ("announcement", "create", "hello", *ACME)
    assert "give either --file or --text" in refusal(run, *create)
    assert "is no WAV" in refusal(run, *create, "--file", str(Path(__file__)))
    assert made(run, "announcement", "list") == []  # nothing is left of what was refused
    told = made(run, *create, "--text", "Hello", "--extension", "700")
    assert (told["source"], told["text"], told["next"]) == ("text", "Hello", None)
    assert made(run, "extension", "show", "700", *ACME)["to"] == "announcement:hello"
    assert "already an announcement 'hello'" in refusal(run, *create, "--text", "Again")


def test_outbound_routes(run: Run) -> None:
    route = ("route", "create", *ACME, "--trunk", "far")
    first = made(run, *route, "--prefix", "00", "--strip", "2", "--prepend", "+", "--order", "5")
    assert (first["trunk"], first["prefix"], first["strip"], first["prepend"]) == (
        "far",
        "00",
        2,
        "+",
    )
    assert "not a prefix" in refusal(run, *route, "--prefix", "0&PJSIP/x")
    assert "take + or digits" in refusal(run, *route, "--prepend", "x")
    assert "no trunk 'near'" in refusal(run, "route", "create", *ACME, "--trunk", "near")
    assert "outbound routes go by trunk 'far'" in refusal(run, "trunk", "delete", "far", *ACME)
    made(run, "route", "delete", first["routeId"])
    assert made(run, "route", "list") == []
    made(run, "trunk", "delete", "far", *ACME)


def test_an_account_goes_with_all_of_it(run: Run, tmp_path: Path) -> None:
    file = str(wav(tmp_path / "a.wav", 16_000, 2, 1))
    made(run, "announcement", "create", "closed", *ACME, "--file", file, "--next", "user:bo")
    made(run, "user", "set", "an", *ACME, "--busy", "user:bo")
    made(run, "route", "create", *ACME, "--trunk", "far")
    made(run, "number", "create", "84287", *ACME, "--to", "announcement:closed")
    made(run, "account", "delete", "acme")
    for kind in ("user", "number", "extension", "announcement", "route", "trunk"):
        assert made(run, kind, "list") == []


def test_a_text_that_is_not_utf_8_is_refused(run: Run) -> None:
    said = refusal(run, "announcement", "create", "hello", *ACME, "--text", "a\udcffb")
    assert said == "error: 'a\\udcffb' is no text in UTF-8\n"
    assert made(run, "announcement", "list") == []
