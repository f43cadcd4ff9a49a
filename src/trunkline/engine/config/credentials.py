"""The engine's private ports and passwords. They are kept as long as its directory, for adoption."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import msgspec

from trunkline.engine.config.configuration import write_private


class Credentials(msgspec.Struct, frozen=True):
    """How to reach the engine's ARI and AMI on 127.0.0.1, and the name that makes its ids unique."""

    port: int
    password: str
    system: str
    ami_port: int = 0
    ami_password: str = ""

    def __repr__(self) -> str:
        return f"Credentials(port={self.port}, ami_port={self.ami_port})"


def credentials(home: Path) -> Credentials:
    """Read them, or make them: free ports, random passwords, a random system name."""
    file = home / "ari.json"
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=Credentials)
    except FileNotFoundError:
        return _store(file, _with_ami(Credentials(_free_port(), _password(), _system())))
    return kept if kept.ami_port else _store(file, _with_ami(kept))


def with_free_port(home: Path, old: Credentials) -> Credentials:
    """For an engine about to start: other ports in place of those that another program has taken."""
    new = msgspec.structs.replace(
        old,
        port=old.port if _is_free(old.port) else _free_port(but=old.ami_port),
        ami_port=old.ami_port if _is_free(old.ami_port) else _free_port(but=old.port),
    )
    return old if new == old else _store(home / "ari.json", new)


def _with_ami(made: Credentials) -> Credentials:
    """Adds the AMI login, which credentials of an earlier version lack."""
    port = _free_port(but=made.port)
    return msgspec.structs.replace(made, ami_port=port, ami_password=_password())


def _store(file: Path, made: Credentials) -> Credentials:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, msgspec.json.encode(made).decode())
    return made


def _password() -> str:
    return secrets.token_hex(24)


def _system() -> str:
    return f"tl{secrets.token_hex(4)}"


def _free_port(but: int = 0) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            if (port := int(probe.getsockname()[1])) != but:
                return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
