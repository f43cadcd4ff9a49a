"""trunkline db: the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.showing import show_all

if TYPE_CHECKING:
    from trunkline.db.sqlite.counts import Difference

app = typer.Typer(help="The database: checking it.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def database() -> None:
    """The database: checking it."""


@app.command()
def check(
    ctx: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make counts that are wrong anew from the calls.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the numbers of calls in each minute, hour and day with the calls themselves.

    Exit status 1 if any differs, also when it was repaired. A server may run meanwhile.
    """
    file = settings_of(ctx).directory / "trunkline.db"
    if not file.exists():
        raise CommandFailed(f"there is no database in {file.parent}: name another with --data")
    wrong = [_shown(each) for each in _differences(file, repair)]
    if not wrong:
        typer.echo("every count is right", err=True)
        if as_json:
            typer.echo("[]")
        return
    show_all(wrong, as_json)
    done = "they were made anew" if repair else "trunkline db check --repair makes them anew"
    raise CommandFailed(f"{len(wrong)} counts are wrong: {done}")


def _differences(file: Path, repair: bool) -> Iterator[Difference]:
    """Day by day, so that calls can be written meanwhile."""
    from trunkline.db.sqlite import counts
    from trunkline.db.sqlite.connect import connect_reader, connect_writer
    from trunkline.db.sqlite.writer import unavailable

    with unavailable(), closing((connect_writer if repair else connect_reader)(file)) as connection:
        for day in counts.days(connection):
            found = counts.check_day(connection, day)
            if found and repair:
                found = counts.repair_day(connection, day)
            yield from found


def _shown(difference: Difference) -> dict[str, Any]:
    from trunkline.calls.times import rfc3339

    return {
        "accountId": difference.account_id,
        "width": difference.width,
        "from": rfc3339(difference.starts_at),
        "counted": difference.counted,
        "calls": difference.there,
    }
