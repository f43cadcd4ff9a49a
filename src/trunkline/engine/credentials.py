"""The engine's private port and password, kept for as long as its directory: adoption needs them."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import msgspec

from trunkline.engine.configuration import write_private


class Credentials(msgspec.Struct, frozen=True):
    """How to reach the engine's ARI on 127.0.0.1, and the name that makes its ids unique."""

    port: int
    password: str
    system: str

    def __repr__(self) -> str:
        return f"Credentials(port={self.port})"


def credentials(home: Path) -> Credentials:
    """Read them, or make them: a free port, a random password, a random system name."""
    file = home / "ari.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Credentials)
    except FileNotFoundError:
        return _store(file, Credentials(_free_port(), secrets.token_hex(24), _system()))


def with_free_port(home: Path, old: Credentials) -> Credentials:
    """For an engine about to start: the same, on another port if someone else took the old one."""
    if _is_free(old.port):
        return old
    return _store(home / "ari.json", msgspec.structs.replace(old, port=_free_port()))


def _store(file: Path, made: Credentials) -> Credentials:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, msgspec.json.encode(made).decode())
    return made


def _system() -> str:
    return f"tl{secrets.token_hex(4)}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
