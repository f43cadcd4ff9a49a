"""Telling the server that runs on a data directory that its directory has changed."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from trunkline import server_file
from trunkline.server_file import ServerFile

SECONDS = 5.0


def running_server(data: Path) -> ServerFile | None:
    """The server that runs on the data directory, if one does."""
    server = server_file.read(data)
    if server is None:
        return None
    try:
        os.kill(server.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # it lives, and is another user's
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


def _post_sync(server: ServerFile) -> str:
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
