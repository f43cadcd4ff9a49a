"""A PostgreSQL server of our own, from Debian's package: private, on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

_PASSWORD = secrets.token_hex(8)


def binaries() -> Path:
    """Where the newest installed server's programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    if not found:
        raise FileNotFoundError("there is no PostgreSQL here: run tests/need.sh")
    return found[-1].parent


def unprivileged() -> str | None:
    """Who runs the server: PostgreSQL refuses to be root's."""
    if os.geteuid():
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_as(user: str | None, home: Path, program: str, *arguments: str) -> None:
    """Run one of the server's programs as a user (None: ourselves); raises RuntimeError, with its words."""
    as_user: dict[str, object] = {}
    if user:
        entry = pwd.getpwnam(user)
        as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    done = subprocess.run(
        [binaries() / program, *arguments],
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
        **as_user,  # type: ignore[call-overload]
    )
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")


def _fields(pid: int) -> list[str]:
    """``/proc/PID/stat`` from the state on (proc(5)): utime is number 11, cstime number 14."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class Cluster:
    """One server. ``stop`` and ``start`` it as often as need be; ``close`` removes it."""

    def __init__(self) -> None:
        self._user = unprivileged()
        # Not under tmp_path: its parents are closed to other users, and a socket's path is short.
        self._home = Path(tempfile.mkdtemp(prefix="tl-pg-"))
        self._home.chmod(0o755)
        if self._user:
            shutil.chown(self._home, self._user)
        self.port = free_port()
        self.data = self._home / "data"
        password = self._home / "password"
        password.write_text(_PASSWORD)
        self._run(
            *("initdb", "-D", str(self.data), "-U", "trunkline", "--encoding=UTF8"),
            # Not the order of bytes: what relies on that has to say so.
            *("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}"),
        )
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                f"unix_socket_directories = '{self._home}'\nmax_connections = 60\n"
                "shared_buffers = 64MB\nfsync = on\n"
            )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers (after a crash: until it has recovered)."""
        log = self._home / "log"
        self._run("pg_ctl", "-D", str(self.data), "-l", str(log), "-w", "-t", "60", "start")

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` is a crash, ``fast`` cuts every connection, ``smart`` waits for them."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def restart(self, between: Callable[[], object] = lambda: None) -> None:
        """Crash it and let it recover."""
        self.stop()
        between()
        self.start()

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as by the kernel when memory is short."""
        self.send(signal.SIGKILL)
        (self.data / "postmaster.pid").unlink()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its processes: SIGSTOP hangs it, SIGCONT ends that."""
        server = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        for pid in (server, *map(int, children)):
            os.kill(pid, number)

    def cpu_seconds(self) -> float:
        """CPU of the server and all its processes so far, those that have ended included."""
        server = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        ticks = sum(map(int, _fields(server)[11:15]))
        for pid in children:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                ticks += sum(map(int, _fields(int(pid))[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def starts(self) -> bool:
        """Start it; False while it refuses, since one of its killed processes is not quite gone."""
        try:
            self.start()
        except RuntimeError:
            return False
        return True

    def url(self, database: str, user: str = "trunkline", password: str = _PASSWORD) -> str:
        """Where a database of it is."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement outside of any transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def create(self, template: str = "template0", tablespace: str = "pg_default") -> str:
        """A new database like another one; gives its name."""
        name = f"t_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {tablespace}")
        return name

    def tablespace(self, folder: Path) -> str:
        """Have databases kept in a folder of another file system; gives the tablespace's name."""
        name = f"s_{secrets.token_hex(6)}"
        if self._user:
            shutil.chown(folder, self._user)
        self.execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever uses it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def close(self) -> None:
        """End it, and leave nothing."""
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._home)

    def _run(self, program: str, *arguments: str) -> None:
        run_as(self._user, self._home, program, *arguments)
