"""trunkline db check: is what is kept beside the calls right?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import existing_place
from trunkline.cli.options import Json
from trunkline.cli.output import show_all

if TYPE_CHECKING:
    from trunkline.store.check import Difference


def check(
    ctx: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make what is wrong anew from the calls.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare what is kept beside the calls with the calls themselves: their numbers in each minute,
    hour and day, the statistics, and what they are found by.

    Exit status 1 if anything differs, also when it was repaired. A server may run meanwhile.
    """
    from trunkline.store.check import check as check_all
    from trunkline.store.place import open_archive

    place = existing_place(settings_of(ctx))
    open_archive(place).close()  # one of another schema is refused
    wrong = [_shown(each) for each in check_all(place, repair)]
    if not wrong:
        typer.echo("everything is right", err=True)
        if as_json:
            typer.echo("[]")
        return
    show_all(wrong, as_json)
    done = "they were made anew" if repair else "trunkline db check --repair makes them anew"
    raise CommandFailed(f"{len(wrong)} things are wrong: {done}")


def _shown(difference: Difference) -> dict[str, Any]:
    from trunkline.calls.times import rfc3339

    return {
        "accountId": difference.account_id,
        "of": difference.of,
        "width": difference.width,
        "from": rfc3339(difference.starts_at),
        "counted": difference.counted,
        "there": difference.there,
    }
