"""trunkline import: the call history of another phone system."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO
from zoneinfo import ZoneInfo

import typer

from trunkline.cli.context import data_directory, settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Account, Json
from trunkline.cli.output import show_one
from trunkline.cli.progress import bar

if TYPE_CHECKING:
    from trunkline.history.imports.leg import Skipped
    from trunkline.history.imports.people import People
    from trunkline.store.directory import AccountEntry, DirectoryTransaction
    from trunkline.work.upkeep.import_calls import ImportCalls, ImportCounts, ImportRequest, Note

_GZIP = b"\x1f\x8b"
_SHOWN_UNKNOWN = 20


def import_calls(
    ctx: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="CSV or JSON, also .gz; oldest first.")
    ],
    account: Account,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="asterisk, freepbx, fusionpbx, kazoo, wazo, histories or auto.",
        ),
    ] = "auto",
    timezone: Annotated[
        str | None,
        typer.Option(metavar="TZ", help="Of clock times without an offset; the account's own."),
    ] = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="THEIRS=OURS", help="A column that is called otherwise; repeatable."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, only tell.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write each row that was not taken, as a line of JSON."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Import finished calls of Asterisk, FreePBX, FusionPBX, Kazoo, Wazo or another Trunkline.

    They appear in the history under ids of their own, so importing a file again adds nothing: after a
    break, start the same import again. No event is sent, and recordings do not come along.
    """
    from trunkline.cli.retries import telling_of_retries
    from trunkline.work.upkeep.import_calls import ImportCalls

    chosen = _format(form)
    with ExitStack() as stack:
        stack.enter_context(telling_of_retries())
        wanted = _wanted(ctx, account, chosen, timezone, renamed or [])
        writer = stack.enter_context(_writer(ctx, dry_run))
        note = stack.enter_context(_reporting(report))
        importing = ImportCalls(wanted, writer, note)
        _run(importing, files)
    show_one(_shown(importing.tally, dry_run), as_json)
    if importing.tally.rows and not importing.tally.calls:
        raise CommandFailed("no row could be read: look at them with --report FILE")


def _format(form: str) -> str | None:
    from trunkline.history.imports.formats import FORMATS

    if form != "auto" and form not in FORMATS:
        raise CommandFailed(f"--format {form!r} is not known: take auto, {', '.join(FORMATS)}")
    return None if form == "auto" else form


def _wanted(
    ctx: typer.Context, account: str, form: str | None, timezone: str | None, renamed: list[str]
) -> ImportRequest:
    from trunkline.cli.directory.transaction import directory_of, find_account
    from trunkline.work.upkeep.import_calls import ImportRequest

    with directory_of(ctx) as directory:
        owner = find_account(directory, account)
        people = _people(directory, owner)
    zone = _zone(timezone or owner.timezone)
    oldest = _oldest(settings_of(ctx).call_days, owner)
    return ImportRequest(
        owner.account_id, people, zone, form, dict(map(_renaming, renamed)), oldest
    )


def _oldest(call_days: int, owner: AccountEntry) -> int:
    """The moment from which on the account keeps calls."""
    import time

    from trunkline.store.common.spans import DAY
    from trunkline.store.ports.history import FIRST

    days = call_days if owner.keep_calls is None else owner.keep_calls
    return time.time_ns() // 1000 - days * DAY if days and owner.held_at is None else FIRST


def _people(directory: DirectoryTransaction, owner: AccountEntry) -> People:
    from trunkline.history.imports.people import People, Person
    from trunkline.store.directory import DeviceEntry, UserEntry

    users = directory.all(UserEntry, owner.account_id)
    by_id = {user.user_id: Person(user.user_id, user.username, user.name) for user in users}
    known = {user.username.lower(): by_id[user.user_id] for user in users}
    for device in directory.all(DeviceEntry, owner.account_id):
        person = by_id[device.user_id]
        known[device.sip_user.lower()] = Person(
            person.user_id, person.username, person.name, device.device_id
        )
    known |= {user.extension.lower(): by_id[user.user_id] for user in users if user.extension}
    return People(known)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise CommandFailed(f"{name!r} is no time zone: take one such as Europe/Vienna") from error


def _renaming(text: str) -> tuple[str, str]:
    theirs, equals, ours = text.partition("=")
    if not equals or not theirs.strip() or not ours.strip():
        raise CommandFailed(f"--map {text!r} is not THEIRS=OURS, such as --map date=calldate")
    return theirs, ours


@contextmanager
def _writer(ctx: typer.Context, dry_run: bool) -> Iterator[Any]:
    from trunkline.cli.running_server import running_server
    from trunkline.store.place import call_writer, dry_writer

    settings = settings_of(ctx)
    data, place = data_directory(settings), settings.place
    writer = (
        dry_writer(place)
        if dry_run
        else call_writer(place, lambda: running_server(data) is not None)
    )
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def _reporting(file: Path | None) -> Iterator[Note]:
    """Write the report while the import goes on; nothing without a file."""
    import msgspec

    if file is None:
        yield lambda _name, _line, _skipped: None
        return
    with file.open("wb") as out:

        def note(name: str, line: int, skipped: Skipped) -> None:
            told = {"file": name, "line": line, "reason": skipped.reason, "detail": skipped.detail}
            out.write(msgspec.json.encode(told) + b"\n")

        yield note


def _run(importing: ImportCalls, files: list[Path]) -> None:
    from trunkline.history.imports.source import NotRecognised

    total = sum(file.stat().st_size for file in files)
    with bar("importing", total) as show:
        done = 0
        for file in files:
            with file.open("rb") as raw:
                try:
                    for _ in importing.file(str(file), _unpacked(raw)):
                        show(done + raw.tell())
                except NotRecognised as error:
                    raise CommandFailed(f"{file}: {error}") from error
                except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                    raise CommandFailed(f"{file} is cut short or damaged: {error}") from error
                done += raw.tell()
        importing.finish()


def _unpacked(raw: BinaryIO) -> BinaryIO:
    packed = raw.read(2) == _GZIP
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[return-value]


def _shown(tally: ImportCounts, dry_run: bool) -> dict[str, Any]:
    return {
        "formats": list(tally.formats),
        "rows": tally.rows,
        "calls": tally.calls,
        "wouldAdd" if dry_run else "added": tally.added,
        "alreadyThere": tally.already_there,
        "skippedRows": tally.skipped.total(),
        "skipped": _counts(tally.skipped),
        "recordingsLeft": tally.recordings_left,
        "unknownExtensions": _counts(Counter(dict(tally.unknown.most_common(_SHOWN_UNKNOWN)))),
    }


def _counts(counter: Counter[Any]) -> dict[str, int]:
    return {str(key): n for key, n in counter.most_common()}
