"""music: made, listed, chosen, refused, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trunkline.cli import app
from work.test_music_files import tone, written

Run = Callable[..., Result]
ACME = ("--account", "acme")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, ["--data", str(tmp_path / "data"), *words])

    for name in ("acme", "other"):
        assert invoke("account", "create", name).exit_code == 0
    return invoke


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(written(tmp_path / "in.mp3", tone(2)))


def made(run: Run, *words: str) -> Any:
    result = run("music", *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(run: Run, *words: str) -> str:
    result = run("music", *words)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def used(run: Run, *words: str) -> dict[str, bool]:
    return {one["name"]: one["used"] for one in made(run, "list", *words)}


def test_the_newest_is_heard_until_another_one_is_chosen(run: Run, file: str) -> None:
    first = made(run, "create", "jazz", *ACME, "--file", file)
    assert (first["name"], first["seconds"], first["used"]) == ("jazz", 2, True)
    made(run, "create", "waltz", *ACME, "--file", file)
    made(run, "create", "jazz", "--account", "other", "--file", file)
    assert used(run, *ACME) == {"jazz": False, "waltz": True}
    made(run, "use", "jazz", *ACME)
    assert used(run, *ACME) == {"jazz": True, "waltz": False}
    made(run, "use", "default", *ACME)
    assert used(run, *ACME) == {"jazz": False, "waltz": False}
    assert used(run, "--account", "other") == {"jazz": True}
    assert len(made(run, "list")) == 3
    assert made(run, "show", first["musicId"])["name"] == "jazz"


def test_it_is_deleted_and_so_is_its_account(run: Run, file: str, tmp_path: Path) -> None:
    entry = made(run, "create", "jazz", *ACME, "--file", file)
    folder = tmp_path / "data/music" / entry["musicId"]
    assert {each.name for each in folder.iterdir()} == {"music.alaw", "music.g722", "music.ulaw"}
    assert made(run, "delete", "jazz", *ACME)["deleted"]
    assert made(run, "list") == []
    assert (folder / "deleted").exists()
    made(run, "create", "jazz", *ACME, "--file", file)
    assert run("account", "delete", "acme").exit_code == 0
    assert made(run, "list") == []


def test_what_cannot_be_is_refused_and_nothing_is_left(run: Run, file: str, tmp_path: Path) -> None:
    made(run, "create", "jazz", *ACME, "--file", file)
    kept = list((tmp_path / "data/music").iterdir())
    text = tmp_path / "text.mp3"
    text.write_text("no music")
    assert "already music 'jazz'" in refusal(run, "create", "jazz", *ACME, "--file", file)
    assert "'default'" in refusal(run, "create", "default", *ACME, "--file", file)
    assert "cannot be the name" in refusal(run, "create", " ", *ACME, "--file", file)
    assert "no music that can be read" in refusal(run, "create", "x", *ACME, "--file", str(text))
    assert "there is no account" in refusal(run, "create", "x", "--account", "none", "--file", file)
    assert "there is no music 'x'" in refusal(run, "use", "x", *ACME)
    assert "there is no music 'jazz'" in refusal(run, "delete", "jazz", "--account", "other")
    assert list((tmp_path / "data/music").iterdir()) == kept
    assert used(run, *ACME) == {"jazz": True}
