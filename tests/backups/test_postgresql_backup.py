"""A backup of an installation on PostgreSQL: pg_dump's file among all the others."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.office import CALL, Office, refused
from cluster import Cluster, binaries
from trunkline.cli import app
from trunkline.store.postgres import dumping


@pytest.fixture
def office(tmp_path: Path, postgres_url: str) -> Office:
    (tmp_path / "data").mkdir(mode=0o700)
    office = Office(tmp_path / "data", postgres_url)
    office.click()
    office.talk_and_end()
    (office.data / "recordings").mkdir()
    (office.data / "recordings/call_recording_1.mp3").write_bytes(b"mp3")
    return office


@pytest.fixture
def new(cluster: Cluster) -> Iterator[str]:
    """A new, empty database."""
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


def run(data: Path, url: str, *words: str) -> Result:
    env = {"TRUNKLINE_DATABASE": url}
    return CliRunner().invoke(app, ["--data", str(data), *words], env=env)


def made(office: Office, to: Path, *words: str) -> Path:
    result = run(office.data, str(office.place), "backup", str(to), "--json", *words)
    assert result.exit_code == 0, result.output
    return Path(json.loads(result.stdout)["backup"])


def everything(url: str) -> str:
    """What is in the database, but for the order of rows that pg_dump writes as they lie."""
    words = [binaries() / "pg_dump", "--no-owner", "--no-privileges", url]
    said = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    return "\n".join(sorted(line for line in said.splitlines() if "restrict" not in line))


@pytest.mark.parametrize("name", ["backups", "backup.tar"])
def test_what_is_restored_is_what_there_was(
    office: Office, new: str, tmp_path: Path, name: str
) -> None:
    backup = made(office, tmp_path / name)
    result = run(tmp_path / "new", new, "restore", str(backup))

    assert result.exit_code == 0, result.output
    assert everything(new) == everything(str(office.place))
    there = {
        str(f.relative_to(tmp_path / "new")) for f in (tmp_path / "new").rglob("*") if f.is_file()
    }
    assert there == {"secret.key", "trunkline.toml", "recordings/call_recording_1.mp3"}
    settings = tmp_path / "new/trunkline.toml"
    assert settings.read_text() == f'database = "{new}"\n'
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    history = CliRunner().invoke(
        app, ["--data", str(tmp_path / "new"), "history", "--account", "acme", "--json",
              "--from", "2023-11-01", "--to", "2023-12-01"],
    )  # fmt: skip
    assert [row["call_id"] for row in json.loads(history.stdout)] == [CALL]


def test_the_new_settings_name_the_new_database(office: Office, new: str, tmp_path: Path) -> None:
    file = office.data / "trunkline.toml"
    file.write_text(f'database = "{office.place}"\nhttp = "127.0.0.1:9"\n')
    backup = made(office, tmp_path / "backups")
    assert run(tmp_path / "new", new, "restore", str(backup)).exit_code == 0
    said = (tmp_path / "new/trunkline.toml").read_text()
    assert said == f'database = "{new}"\nhttp = "127.0.0.1:9"\n'


def test_only_an_empty_database_is_restored_into(office: Office, tmp_path: Path) -> None:
    backup = made(office, tmp_path / "backups")
    refused(run(tmp_path / "new", "", "restore", str(backup)), "TRUNKLINE_DATABASE or --database")
    before = everything(str(office.place))
    refused(run(tmp_path / "new", str(office.place), "restore", str(backup)), "is not empty")
    assert everything(str(office.place)) == before
    assert not list((tmp_path / "new").iterdir())


def test_one_that_was_altered_is_not_let_near_the_database(
    office: Office, new: str, tmp_path: Path
) -> None:
    backup = made(office, tmp_path / "backups")
    dump = backup / "trunkline.pgdump"
    dump.write_bytes(dump.read_bytes()[:-9] + b"tampered!")
    refused(run(tmp_path / "new", new, "restore", str(backup)), "was altered")
    dumping.refuse_full(new)


def test_a_dump_that_breaks_off_leaves_nothing(office: Office, new: str, tmp_path: Path) -> None:
    whole = made(office, tmp_path / "backups") / "trunkline.pgdump"
    cut = tmp_path / "cut"
    cut.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(dumping.DatabaseUnusable):
        dumping.load(new, cut)
    dumping.refuse_full(new)


def test_wrong_counts_are_told_before_they_are_backed_up(
    office: Office, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.execute("UPDATE call_counts_day SET n = n + 1", str(office.place).rpartition("/")[2])
    result = run(office.data, str(office.place), "backup", str(tmp_path / "backups"))
    refused(result, "trunkline db check --repair")
    assert not list((tmp_path / "backups").glob("[!.]*"))


def test_without_pg_dump_it_says_what_to_install(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumping, "_programs", lambda name: [(9, name)])
    result = run(office.data, str(office.place), "backup", str(tmp_path / "backups"))
    refused(result, "install postgresql-client")


def test_no_command_line_has_the_password(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pg_dump is started with, written down by something in its place."""
    seen, real = tmp_path / "seen", binaries() / "pg_dump"
    spy = tmp_path / "pg_dump"
    spy.write_text(
        f'#!/bin/sh\necho "$@" >> {seen}\nls -l "$PGSERVICEFILE" >> {seen}\nexec {real} "$@"\n'
    )
    spy.chmod(0o700)
    monkeypatch.setattr(dumping, "_programs", lambda _: [(99, str(spy))])
    backup = tmp_path / "b"
    dumping.dump(str(office.place), backup)
    password = str(office.place).split(":")[2].partition("@")[0]
    assert password not in seen.read_text()
    assert "service=trunkline" in seen.read_text()
    assert "\n-rw------- " in seen.read_text()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
