"""A PostgreSQL server of the measurement's own: its data is kept, it runs while it is used."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
from tests.cluster import free_port, run_as, unprivileged

_SETTINGS = {
    "shared_buffers": "256MB",
    "max_connections": "60",
    "max_wal_size": "4GB",
    "listen_addresses": "127.0.0.1",
}
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class KeptCluster:
    """One server whose data is in ``home``, made at the first time; on a free loopback port."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._user = unprivileged()
        self._data = home / "data"
        self._port = 0
        if not (self._data / "postgresql.conf").exists():
            self._make()
        self._password = (home / "password").read_text()

    def _make(self) -> None:
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True, mode=0o700)
        password = self._home / "password"
        password.write_text(secrets.token_hex(16))
        for path in (self._home, password):
            self._give(path)
        self._run(
            *("initdb", "-D", str(self._data), "-U", "trunkline", "--encoding=UTF8"),
            *("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"),
            *("--auth=scram-sha-256", f"--pwfile={password}"),
        )

    @contextlib.contextmanager
    def running(self, *, durable: bool = True) -> Iterator[None]:
        """It answers inside. Without ``durable`` it is quick, and a crash may cost all it has."""
        self._port = free_port()
        settings = _SETTINGS | ({} if durable else _CARELESS)
        options = [f"-p {self._port}", f"-k {self._home}"]
        options += [f"-c {name}={value}" for name, value in settings.items()]
        if (self._data / "postmaster.pid").exists():  # of a run that was killed
            with contextlib.suppress(RuntimeError):
                self._control("-m", "fast", "stop")
        self._control("-l", str(self._home / "log"), "-o", " ".join(options), "start")
        try:
            yield
        finally:
            self._control("-m", "fast", "stop")

    def url(self, database: str = "postgres") -> str:
        """Where a database of it is, while it runs."""
        return f"postgresql://trunkline:{self._password}@127.0.0.1:{self._port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement outside of any transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "300", *arguments)

    def _give(self, path: Path) -> None:
        if self._user:
            shutil.chown(path, self._user)

    def _run(self, program: str, *arguments: str) -> None:
        run_as(self._user, self._home, program, *arguments)
