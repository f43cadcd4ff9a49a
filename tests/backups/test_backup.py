"""A backup is everything as it was at one moment, or it is none."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.office import Office, refused
from imports.office import big_file, moved_in, start
from trunkline.cli import app
from trunkline.store.ports.database import DatabaseUnusable
from trunkline.store.secrets import InstallationKey, open_key
from trunkline.store.sqlite import open_database

TESTS = Path(__file__).parent.parent


MUSIC = f"music/{'a' * 32}/music.ulaw"
"""Of the music that is there; what was deleted is heard to its end, and is in no backup."""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Some history, a recording, raw audio that waits, and settings."""
    office = moved_in(tmp_path / "data")
    words = ("import", "--account", "acme", str(big_file(tmp_path / "big.csv", 300)))
    assert run(office, *words).exit_code == 0
    (office.data / "recordings").mkdir()
    (office.data / "engine/spool/done").mkdir(parents=True)
    for n in range(3):
        (office.data / f"recordings/call_recording_{n}.mp3").write_bytes(b"mp3 %d" % n)
    (office.data / "recordings/notes.txt").write_text("not ours")
    (office.data / "engine/spool/done/waiting.raw").write_bytes(b"raw")
    (office.data / "prompts").mkdir()
    (office.data / "prompts/hello.sln16").write_bytes(b"slin")
    for id_, name in (("a" * 32, "music.ulaw"), ("b" * 32, "music.ulaw"), ("b" * 32, "deleted")):
        (office.data / "music" / id_).mkdir(parents=True, exist_ok=True)
        (office.data / "music" / id_ / name).write_bytes(b"ulaw")
    (office.data / "trunkline.toml").write_text('sip_tls_cert = "/etc/tls/cert.pem"\n')
    return office


def run(office: Office, *words: str) -> Result:
    return CliRunner().invoke(app, ["--data", str(office.data), *words])


def made(office: Office, to: Path, *words: str) -> Path:
    result = run(office, "backup", str(to), "--json", *words)
    assert result.exit_code == 0, result.output
    return Path(json.loads(result.stdout)["backup"])


def restored(backup: Path, data: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["restore", str(backup), "--data", str(data), *words])


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def dumped(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


@pytest.fixture(params=["folder", "tar"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / ("backups" if request.param == "folder" else "backup.tar")


def test_what_is_restored_is_what_there_was(office: Office, to: Path, tmp_path: Path) -> None:
    result = restored(made(office, to), tmp_path / "new")

    assert result.exit_code == 0, result.output
    assert dumped(tmp_path / "new/trunkline.db") == dumped(office.file)
    got = files(tmp_path / "new")
    assert got.keys() == {
        "trunkline.db", "secret.key", "trunkline.toml", "engine/spool/done/waiting.raw",
        "prompts/hello.sln16", MUSIC,
        *(f"recordings/call_recording_{n}.mp3" for n in range(3)),
    }  # fmt: skip
    for name in got.keys() - {"trunkline.db"}:
        assert got[name] == (office.data / name).read_bytes()
    for file in (tmp_path / "new").rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_what_others_keep_is_named_and_the_key_is_warned_of(office: Office, to: Path) -> None:
    result = run(office, "backup", str(to))

    assert "holds secret.key" in result.stderr
    assert "/etc/tls/cert.pem is not in the backup" in result.stderr


def test_without_recordings(office: Office, to: Path, tmp_path: Path) -> None:
    restored(made(office, to, "--without-recordings"), tmp_path / "new")

    kept = {"trunkline.db", "secret.key", "trunkline.toml", "prompts/hello.sln16", MUSIC}
    assert files(tmp_path / "new").keys() == kept


def test_without_the_key_it_comes_from_elsewhere(office: Office, to: Path, tmp_path: Path) -> None:
    backup = made(office, to, "--without-key")

    alone = restored(backup, tmp_path / "alone")
    assert "no secret.key" in alone.stderr
    assert not (tmp_path / "alone/secret.key").exists()
    with_key = restored(backup, tmp_path / "new", "--key", str(office.data / "secret.key"))
    assert with_key.exit_code == 0, with_key.output
    assert open_key(tmp_path / "new/secret.key").derive("a") == office.key.derive("a")
    another = tmp_path / "other.key"
    open_key(another)
    refused(restored(backup, tmp_path / "third", "--key", str(another)), "another secret.key")
    with pytest.raises(DatabaseUnusable):
        open_database(tmp_path / "alone/trunkline.db", InstallationKey(b"x" * 32))


def test_the_next_backup_links_the_recordings_that_stayed(office: Office, tmp_path: Path) -> None:
    first = made(office, tmp_path / "b")
    (office.data / "recordings/call_recording_1.mp3").unlink()
    (office.data / "recordings/call_recording_2.mp3").write_bytes(b"another")
    (office.data / "recordings/call_recording_3.mp3").write_bytes(b"new")
    second = made(office, tmp_path / "b")

    def same(n: int) -> bool:
        name = f"recordings/call_recording_{n}.mp3"
        return (first / name).stat().st_ino == (second / name).stat().st_ino

    assert [same(0), same(2)] == [True, False]
    assert (first / "recordings/call_recording_2.mp3").read_bytes() == b"mp3 2"
    result = restored(tmp_path / "b", tmp_path / "new")
    assert result.exit_code == 0, result.output
    got = files(tmp_path / "new/recordings")
    assert got == {
        "call_recording_0.mp3": b"mp3 0",
        "call_recording_2.mp3": b"another",
        "call_recording_3.mp3": b"new",
    }


def _another_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        "trunkline.db", "secret.key", "trunkline.toml", "recordings/call_recording_1.mp3",
        "files.jsonl", "manifest.json", "manifest.hmac",
    ],
)  # fmt: skip
@pytest.mark.parametrize("tamper", [_another_byte, Path.unlink])
def test_an_altered_backup_is_refused(
    office: Office, tmp_path: Path, name: str, tamper: Callable[[Path], None]
) -> None:
    backup = made(office, tmp_path / "b")
    tamper(backup / name)

    result = restored(backup, tmp_path / "new")

    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: ")
    assert list((tmp_path / "new").iterdir()) == []


def test_files_and_list_altered_together_are_refused(office: Office, tmp_path: Path) -> None:
    from trunkline.backups.manifest import sha256

    backup = made(office, tmp_path / "b")
    file, listed, about = (
        backup / name
        for name in ("recordings/call_recording_1.mp3", "files.jsonl", "manifest.json")
    )
    for each, others in ((file, [listed]), (listed, [about])):
        before = sha256(each)
        if each is file:
            _another_byte(each)
        after = sha256(each) if each is file else sha256(listed)
        for other in others:
            old = before if each is file else json.loads(about.read_text())["list_sha256"]
            other.write_text(other.read_text().replace(old, after))

    refused(restored(backup, tmp_path / "new"), "manifest.json was altered")


@pytest.mark.parametrize("name", ["../escaped", "/etc/escaped", "engine/etc/x.conf", "sandbox/a"])
def test_a_tar_of_somebody_else_writes_nothing(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    refused(restored(tmp_path / "evil.tar", tmp_path / "new"), "which no backup does")

    link = tarfile.TarInfo("secret.key")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.addfile(link)
    refused(restored(tmp_path / "evil.tar", tmp_path / "new"), "which no backup does")


def test_a_cut_tar_is_refused(office: Office, tmp_path: Path) -> None:
    whole = made(office, tmp_path / "b.tar").read_bytes()
    for part in (0, 100, len(whole) // 2):
        (tmp_path / "cut.tar").write_bytes(whole[:part])
        assert restored(tmp_path / "cut.tar", tmp_path / "new").exit_code == 1
    assert list((tmp_path / "new").iterdir()) == []


def test_a_directory_that_is_in_use_is_refused(office: Office, tmp_path: Path) -> None:
    refused(restored(made(office, tmp_path / "b"), office.data), "is not empty")


def test_a_restore_that_was_broken_off_says_so(office: Office, tmp_path: Path) -> None:
    (tmp_path / "new/.restoring-1").mkdir(parents=True)
    refused(restored(made(office, tmp_path / "b"), tmp_path / "new"), "broken off")


def test_two_backups_at_once_into_one_place_are_refused(office: Office, to: Path) -> None:
    from filelock import FileLock

    lock = to / ".lock" if to.suffix == "" else to.with_name(f".{to.name}.lock")
    lock.parent.mkdir(exist_ok=True)
    with FileLock(lock):
        process = start(office, "backup", str(to))
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "another backup is being written there" in err


def test_nothing_to_back_up_and_nothing_to_restore(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    runner = CliRunner()
    refused(runner.invoke(app, ["--data", str(empty), "backup", str(tmp_path / "b")]), "nothing")
    refused(restored(empty, tmp_path / "new"), "there is no backup")


@contextmanager
def writing(office: Office) -> Iterator[list[int]]:
    """A server that writes; gives what it acknowledged before the block, and after it all."""
    acknowledged: list[int] = []
    words = [sys.executable, str(TESTS / "backups/writing_server.py")]
    with subprocess.Popen(
        [*words, str(office.data), office.account.account_id],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(TESTS)},
    ) as writer:  # fmt: skip
        assert writer.stdout
        acknowledged += [int(writer.stdout.readline()) for _ in range(200)]
        yield acknowledged
        acknowledged.append(int(writer.stdout.readline()))
        writer.kill()


def _check(data: Path, acknowledged: list[int]) -> None:
    with closing(sqlite3.connect(data / "trunkline.db")) as connection:
        ids = {row[0] for row in connection.execute("SELECT id FROM calls WHERE id LIKE 'c%'")}
        seqs = connection.execute("SELECT count(*), max(seq) FROM events").fetchone()
    assert {f"c{n}" for n in acknowledged} <= ids
    assert seqs[0] == seqs[1]
    for n in acknowledged:
        if n % 20 == 0:
            assert (data / f"recordings/call_recording_c{n}.mp3").exists()


def test_a_backup_amid_writes_has_all_that_was_acknowledged_before(
    office: Office, to: Path, tmp_path: Path
) -> None:
    with writing(office) as acknowledged:
        before = list(acknowledged)
        process = start(office, "backup", str(to), "--json")
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
    assert len(acknowledged) > len(before)  # it went on
    result = restored(Path(json.loads(out)["backup"]), tmp_path / "new")
    assert result.exit_code == 0, result.output
    _check(tmp_path / "new", before)
    checked = CliRunner().invoke(app, ["--data", str(tmp_path / "new"), "db", "check"])
    assert checked.exit_code == 0, checked.output


def test_a_killed_backup_leaves_none_and_the_next_one_clears_up(office: Office, to: Path) -> None:
    for n in range(400):
        (office.data / f"recordings/call_recording_k{n}.mp3").write_bytes(os.urandom(2000))
    process = start(office, "backup", str(to))
    folder = to if to.suffix == "" else to.parent
    deadline = time.monotonic() + 120
    while not any(".partial-" in each.name for each in folder.glob(".*")):
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.kill()
    process.communicate()

    visible = [each.name for each in to.glob("[!.]*")] if to.suffix == "" else to.exists()
    assert not visible
    made(office, to)
    assert not any(".partial-" in each.name for each in folder.glob(".*"))


def counts(office: Office, *words: str) -> tuple[int, Any]:
    result = run(office, "db", "check", "--json", *words)
    return result.exit_code, json.loads(result.stdout)


def test_wrong_counts_are_found_repaired_and_then_right(office: Office) -> None:
    assert counts(office) == (0, [])
    with closing(sqlite3.connect(office.file)) as connection:
        connection.execute("UPDATE call_counts_minute SET n = n + 1 WHERE bucket % 97 = 0")
        connection.execute(
            "DELETE FROM call_counts_hour WHERE bucket = (SELECT min(bucket) FROM call_counts_hour)"
        )
        connection.execute("INSERT INTO call_counts_day VALUES ('ghost', -3, 7)")
        connection.commit()

    status, found = counts(office)
    assert status == 1
    assert {each["width"] for each in found} == {"minute", "hour", "day"}
    assert {
        "accountId": "ghost",
        "of": "calls",
        "width": "day",
        "from": "1969-12-29T00:00:00.000Z",
        "counted": 7,
        "there": 0,
    } in found
    assert counts(office, "--repair") == (1, found)
    assert counts(office) == (0, [])


def test_a_backup_of_wrong_counts_is_not_made(office: Office, tmp_path: Path) -> None:
    with closing(sqlite3.connect(office.file)) as connection:
        connection.execute("UPDATE call_counts_day SET n = n + 1")
        connection.commit()

    refused(run(office, "backup", str(tmp_path / "b")), "db check --repair")
    assert list((tmp_path / "b").glob("[!.]*")) == []
