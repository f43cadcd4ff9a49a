"""server.json in the data directory: how the command line finds the running server."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from trunkline.store.secrets import InstallationKey

NAME = "server.json"
ADDRESSES = ("http", "sip", "sip_tls", "rtp")
"""The settings that say where a server listens."""


def internal_token(key: InstallationKey) -> str:
    """The token of the ``/internal`` door; whoever has the installation's key can make it."""
    return key.derive("internal door").hex()


class ServerFile(msgspec.Struct, frozen=True):
    """Where the running server listens, and the token of its ``/internal`` door, which is secret."""

    url: str
    token: str
    pid: int
    listens: dict[str, str] = {}
    """Its ``ADDRESSES``, which flags may have set; none where an older server wrote this."""

    def __repr__(self) -> str:
        return f"ServerFile(url={self.url!r}, pid={self.pid})"


def read(data: Path) -> ServerFile | None:
    """The file of a data directory; None where there is none, or it cannot be read."""
    try:
        return msgspec.json.decode((data / NAME).read_bytes(), type=ServerFile)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_server_file(
    data: Path, url: str, key: InstallationKey, listens: dict[str, str] | None = None
) -> Path:
    from trunkline.engine.config.configuration import write_private  # the command line reads alone

    file = data / NAME
    told = msgspec.json.encode(ServerFile(url, internal_token(key), os.getpid(), listens or {}))
    try:
        write_private(file, told.decode())
    except OSError:
        _write_over(file, told)
    return file


def _write_over(file: Path, told: bytes) -> None:
    """On a full disk there is room where the file of a server that was killed stands. Raises OSError."""
    with file.open("r+b", buffering=0) as there:
        size = os.fstat(there.fileno()).st_size
        if size < len(told):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        there.write(told.ljust(size))
