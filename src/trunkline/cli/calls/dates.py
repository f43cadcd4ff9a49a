"""The dates of --from and --to."""

from __future__ import annotations

from trunkline.cli.failure import CommandFailed


def moment_of(text: str, zone: str, end: bool = False) -> int:
    """Unix microseconds; with ``end``, of a bare date the day's end. Raises CommandFailed."""
    from trunkline.history.dates import DateInvalid, moment

    try:
        return moment(text, zone, end=end).at
    except DateInvalid as error:
        raise CommandFailed(f"{error} Such as 2026-02-07 or 2026-02-07T09:30:00+07:00") from error


def in_order(start: int, end: int) -> tuple[int, int]:
    """Both; raises CommandFailed where the end is before the start."""
    if end < start:
        raise CommandFailed("--to is before --from: swap them")
    return start, end
