"""Telling the server that runs on a data directory that its directory has changed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import typer

SECONDS = 5.0


class RunningServer(msgspec.Struct, frozen=True):
    """``server.json`` of the data directory: where the running server listens. ``token`` is secret."""

    url: str
    token: str
    pid: int

    def __repr__(self) -> str:
        return f"RunningServer(url={self.url!r}, pid={self.pid})"


def running_server(data: Path) -> RunningServer | None:
    """The server that runs on the data directory, if one does."""
    try:
        server = msgspec.json.decode((data / "server.json").read_bytes(), type=RunningServer)
        os.kill(server.pid, 0)
    except PermissionError:
        return server
    except (FileNotFoundError, ProcessLookupError, msgspec.DecodeError):
        return None
    return server


def tell_server(data: Path) -> None:
    """Return once the running server's engine has taken the change in.

    A server that does not answer is no failure: the change is stored, and a warning says the rest.
    """
    server = running_server(data)
    if server is None:
        return
    trouble = _post_sync(server)
    if trouble:
        typer.echo(
            f"warning: the change is stored, but the running server did not confirm it ({trouble}): "
            "devices, users and numbers work all the same; a changed trunk does, and the call of a "
            "removed device ends, when the server takes its next change or is started again",
            err=True,
        )


def _post_sync(server: RunningServer) -> str:
    """Ask; gives what went wrong, or nothing."""
    # One POST to this machine: urllib is imported ten times faster than an HTTP client.
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, Request, build_opener

    request = Request(  # noqa: S310 (the address is our own server's)
        f"{server.url}/internal/sync",
        method="POST",
        headers={"Authorization": f"Bearer {server.token}"},
    )
    try:
        build_opener(ProxyHandler({})).open(request, timeout=SECONDS).close()
    except HTTPError as error:
        return f"HTTP {error.code}"
    except (OSError, ValueError, HTTPException) as error:
        return type(error).__name__
    return ""
