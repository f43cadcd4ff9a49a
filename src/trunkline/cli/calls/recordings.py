"""trunkline recording: find recordings, and take one out."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import accounts_called, archive, local
from trunkline.cli.options import Json, OneAccount, group
from trunkline.cli.output import show_all, show_one

if TYPE_CHECKING:
    from trunkline.recordings.port import Store
    from trunkline.store.ports.archive import Account, RecordingRow

Get = Annotated[
    str, typer.Argument(metavar="NAME_OR_CALL_ID", help="The recording's name, or its call's id.")
]

app = group("Recordings: MP3, the caller on the left, the callee on the right.")


@app.command("list")
def list_recordings(
    ctx: typer.Context,
    account: OneAccount = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List recordings, newest first.

    `expected` ones are still being made, `failed` ones never will be, for the reason that is given.
    """
    with archive(ctx) as opened:
        found = [
            (row, each)
            for each in accounts_called(opened, account)
            for row in opened.recordings(each.id, limit)
        ]
    found.sort(key=lambda one: one[0].created_at, reverse=True)
    show_all([_row(*one, as_json) for one in found[:limit]], as_json)


@app.command()
def get(
    ctx: typer.Context,
    wanted: Get,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE",
            help="Where to; - is standard output. Its own name in this directory if not given.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write a recording to a file: whole, or not at all."""
    from trunkline.server.wiring.recordings import recording_store

    with archive(ctx) as opened:
        row = opened.recording(wanted)
    made = _made(row, wanted)
    store = recording_store(settings_of(ctx))
    if output == "-":
        _copy(store, made, sys.stdout.buffer)
        return
    file = Path(output or made.name)
    if file.is_dir():
        file /= made.name
    size = _save(store, made, file, force)
    show_one({"file": str(file), "bytes": size, "callId": made.call_id}, as_json)


def _row(row: RecordingRow, account: Account, as_json: bool) -> dict[str, Any]:
    return {
        "name": row.name,
        "account": account.name,
        "callId": row.call_id,
        "ended": row.created_at if as_json else local(row.created_at, account.timezone),
        "state": row.state,
        "bytes": row.bytes,
        "seconds": round(row.seconds, 1),
        "reason": row.reason,
    }


def _made(row: RecordingRow | None, wanted: str) -> RecordingRow:
    """The recording, if it can be had; raises CommandFailed."""
    if row is None:
        raise CommandFailed(f"there is no recording of {wanted!r}: see trunkline recording list")
    if row.state == "pending":
        raise CommandFailed(
            f"{row.name} is still being made: try again in a moment, with the server running"
            + (f" (so far: {row.reason})" if row.reason else "")
        )
    if row.state == "failed":
        raise CommandFailed(f"there is no {row.name}, and never will be: {row.reason}")
    return row


def _save(store: Store, row: RecordingRow, file: Path, force: bool) -> int:
    """Write it beside its place, then move it there; returns its size in bytes."""
    _refuse_existing(file, force)
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as out:
            size = _copy(store, row, out)
            out.flush()
            os.fsync(out.fileno())
        if force:
            aside.replace(file)
        else:
            _link(aside, file)
    finally:
        aside.unlink(missing_ok=True)
    return size


def _link(aside: Path, file: Path) -> None:
    """Unlike a rename, a link never replaces what came there meanwhile."""
    try:
        os.link(aside, file)
    except FileExistsError:
        _refuse_existing(file, force=False)
    except OSError:  # no hard links on this file system
        _refuse_existing(file, force=False)
        aside.replace(file)


def _refuse_existing(file: Path, force: bool) -> None:
    if file.exists() and not force:
        raise CommandFailed(f"{file} is there already: name another file with -o, or add --force")


def _copy(store: Store, row: RecordingRow, out: BinaryIO) -> int:
    """Write the recording; returns its size in bytes. Raises CommandFailed."""
    from trunkline.recordings.port import RecordingMissing

    async def copy() -> int:
        size = await store.size(row.name)
        async for piece in store.stream(row.name, 0, size):
            out.write(piece)
        return size

    try:
        return asyncio.run(copy())
    except RecordingMissing:
        raise CommandFailed(
            f"{row.name} is gone from the data directory's recordings/: put it back from a backup"
        ) from None
