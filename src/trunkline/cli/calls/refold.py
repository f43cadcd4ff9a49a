"""trunkline calls refold: are the records what the journal says?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import accounts_called, archive
from trunkline.cli.options import Json
from trunkline.cli.output import plain, show_one
from trunkline.cli.progress import counting

if TYPE_CHECKING:
    from trunkline.store.ports.archive import Archive
    from trunkline.store.ports.history import CallRow

_CHUNK = 500
_MOST_SHOWN = 1000


def refold(
    ctx: typer.Context,
    call_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="CALL_ID…", help="These calls; all if not given."),
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of one account only: its name or its id.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing, only compare: needed for now.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the records of finished calls anew from their journals, and compare them, byte for byte.

    Ends with status 1 where any differs. Imported calls have no journal, and old ones none any more
    (`journal_days`): they are counted as `withoutJournal`.
    """
    if not dry_run:
        raise CommandFailed("records are not written anew yet: say --dry-run to compare them")
    counted: Counter[str] = Counter()
    told: list[dict[str, Any]] = []
    with archive(ctx) as opened:
        total, rows = _wanted(opened, account, call_ids or [])
        with counting(total) as advance:
            for row in rows:
                found = _compared(opened, row, counted)
                told += found[: _MOST_SHOWN - len(told)]
                advance(1)
    _tell(counted, told, as_json)
    if counted["different"]:
        raise typer.Exit(1)


def _wanted(
    opened: Archive, account: str | None, call_ids: list[str]
) -> tuple[int, Iterator[CallRow]]:
    from trunkline.store.ports.history import FIRST, LAST

    owners = [each.id for each in accounts_called(opened, account)]
    if call_ids:
        named = [_named(opened, call_id, owners) for call_id in call_ids]
        return len(named), iter(named)
    total = sum(opened.total(owner, FIRST, LAST) for owner in owners)
    return total, (row for owner in owners for row in _all(opened, owner))


def _named(opened: Archive, call_id: str, owners: list[str]) -> CallRow:
    from trunkline.store.ports.history import NEWEST, CallFilter

    for owner in owners:
        if rows := opened.find(owner, CallFilter(call_id=call_id), NEWEST, 1).rows:
            return rows[0]
    raise CommandFailed(f"there is no finished call {call_id!r}: see trunkline history")


def _all(opened: Archive, owner: str) -> Iterator[CallRow]:
    from trunkline.store.ports.history import NEWEST, CallFilter, CallKey

    after: CallKey | None = NEWEST
    while after is not None:
        found = opened.find(owner, CallFilter(), after, _CHUNK)
        yield from found.rows
        after = found.rest


def _compared(opened: Archive, row: CallRow, counted: Counter[str]) -> list[dict[str, Any]]:
    from trunkline.calls.refolding import differences

    facts = opened.facts(row.call_id)
    if not facts:
        counted["without"] += 1
        return []
    found = differences(row, facts)
    counted["different" if found else "alike"] += 1
    return [{"callId": row.call_id, **each._asdict()} for each in found]


def _tell(counted: Counter[str], told: list[dict[str, Any]], as_json: bool) -> None:
    summary = {
        "calls": counted.total(),
        "alike": counted["alike"],
        "different": counted["different"],
        "withoutJournal": counted["without"],
    }
    if as_json:
        show_one({**summary, "differences": told}, True)
        return
    for each in told:
        said = f"{each['field']}: stored {each['stored']!r}, refolded {each['refolded']!r}"
        typer.echo(plain(f"{each['callId']}  {said}"))
    show_one(summary, False)
