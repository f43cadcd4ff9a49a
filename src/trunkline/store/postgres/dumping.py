"""A PostgreSQL database as one file, and back, by PostgreSQL's own pg_dump and pg_restore.

They are told where the database is by a connection service file for their owner only, and the password
in their environment: a command line can be seen by everybody on the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from trunkline.store import migrations
from trunkline.store.ports.database import DatabaseUnusable
from trunkline.store.postgres.connect import checking_engine
from trunkline.store.postgres.examining import look
from trunkline.store.postgres.schema import connected, refuse_other_schema, shown

_INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian has the programs of each major version."""
_OTHERS = ("/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/pgsql/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_SERVICE = "trunkline"
# What Trunkline has made; a role and its rights are of the server, and made at its start.
_NOBODYS = ("--no-owner", "--no-privileges")
_ANYTHING = """SELECT count(*) FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')"""


def revision(url: str) -> str:
    """That of this program, which the database has; raises DatabaseUnusable, DatabaseUnavailable."""
    refuse_other_schema(url)
    return migrations.revisions()[-1]


def dump(url: str, target: Path) -> None:
    """Write the database as it is at one moment into a new file.

    Servers may go on writing. The file is on the disk, and its owner's only. Raises DatabaseUnavailable;
    DatabaseUnusable also where there is no pg_dump that will do, or counts are wrong.
    """
    _refuse_wrong_counts(url)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    options = ("--format=custom", "--lock-wait-timeout=60s", f"--file={target}", *_NOBODYS)
    with _reaching(url) as (where, environment):
        _run([_program("pg_dump", look(url).major), *options, where], environment)
    _sync(target)


def refuse_full(url: str) -> None:
    with connected(url) as connection:
        row = connection.execute(_ANYTHING).fetchone()
    if row != (0,):
        raise DatabaseUnusable(
            f"{shown(url)} is not empty: a backup is restored into a new database (CREATE DATABASE)"
        )


def load(url: str, source: Path) -> None:
    """Bring a dump into an empty database: whole, in one transaction, or not at all.

    Raises DatabaseUnavailable; DatabaseUnusable also where no pg_restore here can read it.
    """
    refuse_full(url)
    options = ("--single-transaction", "--exit-on-error", *_NOBODYS)
    program = _program("pg_restore", look(url).major, source)
    with _reaching(url) as (where, environment):
        _run([program, *options, where, str(source)], environment)


def examine(source: Path) -> None:
    """Raises DatabaseUnusable unless a pg_restore here can read the dump."""
    _program("pg_restore", 0, source)


def _program(name: str, oldest: int, reads: Path | None = None) -> str:
    """The program of the first major version from one on (that can read this dump)."""
    programs = [each for each in _programs(name) if each[0] >= oldest]
    for _, program in programs:
        if reads is None or _can_read(program, reads):
            return program
    if programs and reads is not None:
        raise DatabaseUnusable(
            f"{reads.name} cannot be read by any {name} here: it is damaged or newer"
        )
    raise DatabaseUnusable(
        f"there is no {name} of PostgreSQL {oldest or ''} or later here: install postgresql-client"
    )


def _programs(name: str) -> list[tuple[int, str]]:
    """(major version, path) of each on this machine, the oldest first."""
    folders = [
        *_INSTALLED.glob("*/bin"),
        *(p for each in _OTHERS for p in Path("/").glob(each[1:])),
    ]
    paths = [str(folder / name) for folder in folders if (folder / name).exists()]
    if found := shutil.which(name):
        paths.append(found)
    return sorted((version, path) for path in paths if (version := _version(path)))


def _version(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = _VERSION.search(said.stdout)
    return int(found[1]) if found else 0


def _can_read(program: str, source: Path) -> bool:
    listing = [program, "--list", str(source)]
    return subprocess.run(listing, capture_output=True, check=False).returncode == 0


@contextmanager
def _reaching(url: str) -> Iterator[tuple[str, dict[str, str]]]:
    """How to name the database, and the environment in which that leads to it."""
    known = conninfo_to_dict(url)
    password = known.pop("password", None)
    with tempfile.TemporaryDirectory(prefix="trunkline-") as folder:  # its owner's only
        file = Path(folder) / "pg_service.conf"
        file.touch(0o600)
        file.write_text("\n".join([f"[{_SERVICE}]", *(f"{k}={v}" for k, v in known.items()), ""]))
        environment = {**os.environ, "PGSERVICEFILE": str(file), "LC_ALL": "C"}
        if password is not None:
            environment["PGPASSWORD"] = str(password)
        yield f"--dbname=service={_SERVICE}", environment


def _run(command: Sequence[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*command, "--no-password"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
        raise DatabaseUnusable(said.strip() or f"{command[0]} ended with {done.returncode}")


def _refuse_wrong_counts(url: str) -> None:
    from trunkline.store.check import check

    wrong = next(check(checking_engine(url), False, ("counts",)), None)
    if wrong is not None:
        raise DatabaseUnusable(
            f"account {wrong.account_id} has {wrong.there} calls where {wrong.counted} are counted: "
            "run trunkline db check --repair"
        )


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
