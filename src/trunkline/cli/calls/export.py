"""trunkline calls export: the history as a file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from trunkline.cli.calls.dates import in_order, moment_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import account_called, archive
from trunkline.cli.options import Account
from trunkline.cli.progress import counting

if TYPE_CHECKING:
    from trunkline.api.v1.exports.formats import ExportFormat
    from trunkline.store.ports.archive import Archive
    from trunkline.store.ports.history import CallRow

_CHUNK = 1000


def export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is standard output.")],
    account: Account,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="csv|jsonl|parquet", help="By FILE's ending if not given."
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="The first day or moment; all if not given."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="The last day, or a moment; all if not given."),
    ] = None,
) -> None:
    """Write finished calls to a file, newest first.

    DATE is ISO 8601; without an offset it is in the account's time zone. A bare date is a whole day.
    In CSV a value that begins like a formula has a ' before it, so has +84…. A file that is there
    already is left as it is.
    """
    made = _format(format_ or Path(file).suffix.removeprefix("."))
    with archive(ctx) as opened:
        owner = account_called(opened, account)
        start, end = _window(from_, to, owner.timezone)
        with _opened(file) as out, counting(opened.total(owner.id, start, end)) as advance:
            out.write(made.begin())
            for rows in _chunks(opened, owner.id, start, end):
                out.write(made.rows(rows))
                advance(len(rows))
            out.write(made.end())


def _window(first: str | None, last: str | None, zone: str) -> tuple[int, int]:
    from trunkline.store.ports.history import FIRST, LAST

    start = moment_of(first, zone) if first else FIRST
    return in_order(start, moment_of(last, zone, end=True) if last else LAST)


def _format(name: str) -> ExportFormat:
    from trunkline.api.v1.exports.formats import FormatUnavailable, format_called

    try:
        return format_called(name)
    except KeyError:
        raise CommandFailed("say --format csv, jsonl or parquet") from None
    except FormatUnavailable as error:
        raise CommandFailed(str(error)) from None


def _chunks(opened: Archive, account_id: str, start: int, end: int) -> Iterator[list[CallRow]]:
    from trunkline.store.ports.history import NEWEST, CallFilter, CallKey

    after: CallKey | None = NEWEST
    while after is not None:
        found = opened.find(account_id, CallFilter(start=start, end=end), after, _CHUNK)
        after = found.rest
        yield list(found.rows)


@contextlib.contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Make the file; delete it again if it is not written to its end."""
    if file == "-":
        yield sys.stdout.buffer
        return
    try:
        out = Path(file).open("xb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CommandFailed(f"cannot write {file}: {error.strerror}") from error
    with out:
        try:
            yield out
        except BaseException:
            Path(file).unlink(missing_ok=True)
            raise
