"""Talking to the server that runs on a data directory, by its ``/internal`` door."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trunkline.cli.failure import CommandFailed
from trunkline.server import server_file
from trunkline.server.server_file import ServerFile

if TYPE_CHECKING:
    from trunkline.api.internal import CallRefused

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
    """Return once the running server's engine has taken over the change.

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


def ask_for_sample(data: Path, account_id: str, name: str, call_id: str | None) -> list[bytes]:
    """Have the running server store a sample event; returns the ``/v1`` envelopes, in order.

    Raises CommandFailed, also where no server runs.
    """
    import msgspec

    server = running_server(data)
    if server is None:
        raise CommandFailed(
            f"no server runs on {data}: start it with trunkline up, it is what sends events"
        )
    wanted = {"account_id": account_id, "name": name, "call_id": call_id}
    answer = _post(server, "/internal/samples", msgspec.json.encode(wanted))
    if isinstance(answer, str):
        raise CommandFailed(f"the running server made no sample: {answer}")
    return [bytes(each) for each in msgspec.json.decode(answer, type=list[msgspec.Raw])]


def ask_for_transfer(data: Path, call_id: str, to: str, leg_id: str | None) -> tuple[str, str]:
    """Have the running server transfer a call; returns (the leg that left, the number).

    Raises CommandFailed, also where no server runs.
    """
    import getpass

    import msgspec

    from trunkline.api.internal import CallRefused, TransferDone
    from trunkline.work.control.transfer_call import TransferWanted

    server = running_server(data)
    if server is None:
        raise CommandFailed(f"no server runs on {data}: start it with trunkline up")
    wanted = TransferWanted(
        account_id=None, call_id=call_id, to=to, leg_id=leg_id, by=f"cli {getpass.getuser()}"
    )
    answer = _post(server, "/internal/transfer-call", msgspec.json.encode(wanted))
    if isinstance(answer, str):
        raise CommandFailed(
            f"the running server did not answer ({answer}): see trunkline calls show"
        )
    done = msgspec.json.decode(answer, type=TransferDone | CallRefused)
    if isinstance(done, CallRefused):
        raise CommandFailed(_why_not(done, call_id))
    return done.transferred.leg_id, done.transferred.to


def _why_not(refused: CallRefused, call_id: str) -> str:
    if refused.code == "NOT_FOUND":
        return f"no call {call_id!r} is live: see trunkline calls list"
    return refused.detail


def _post_sync(server: ServerFile) -> str:
    """Returns what went wrong, or nothing."""
    answer = _post(server, "/internal/sync", b"")
    return answer if isinstance(answer, str) else ""


def _post(server: ServerFile, path: str, body: bytes) -> bytes | str:
    """The answer's body, or what went wrong in words."""
    # One POST to this machine: urllib is imported ten times faster than an HTTP client.
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, Request, build_opener

    request = Request(  # noqa: S310 (the address is our own server's)
        f"{server.url}{path}",
        method="POST",
        data=body,
        headers={"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"},
    )
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=SECONDS) as answer:
            read: bytes = answer.read()
            return read
    except HTTPError as error:
        return f"HTTP {error.code}"
    except (OSError, ValueError, HTTPException) as error:
        return type(error).__name__
