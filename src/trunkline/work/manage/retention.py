"""Manage how long an account's things are kept, and its legal hold."""

from __future__ import annotations

from collections.abc import Mapping

from trunkline.directory.entries import AccountEntry
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import DirectoryTransaction

LONGEST = 36_500  # days


def keep(
    directory: DirectoryTransaction, account: AccountEntry, wanted: Mapping[str, str]
) -> AccountEntry:
    """Set how long the account keeps these kinds (calls, events, recordings); others stay as they are.

    Each value is days, ``forever``, or ``default`` for what the settings say. Raises DirectoryRefused.
    """
    days = {f"keep_{kind}": _days(kind, text) for kind, text in wanted.items()}
    if not days:
        raise DirectoryRefused(
            "say what to keep, and for how many days: --calls, --events, --recordings"
        )
    _refuse_recordings_without_calls(
        days.get("keep_calls", account.keep_calls),
        days.get("keep_recordings", account.keep_recordings),
    )
    return directory.change(AccountEntry, account.account_id, **days)


def hold(
    directory: DirectoryTransaction, account: AccountEntry, reason: str, now: int
) -> AccountEntry:
    """Put it on hold, or change the reason; from now on nothing of it is deleted."""
    if not (0 < len(reason) <= 500 and reason.isprintable() and reason.strip()):
        raise DirectoryRefused(
            "say why with --reason TEXT, in at most 500 printable characters: whoever ends the hold "
            "has to know"
        )
    held_at = now if account.held_at is None else account.held_at
    return directory.change(AccountEntry, account.account_id, held_at=held_at, hold_reason=reason)


def release(directory: DirectoryTransaction, account: AccountEntry) -> AccountEntry:
    """End the hold; the next run deletes what is too old. Raises DirectoryRefused without a hold."""
    if account.held_at is None:
        raise DirectoryRefused(f"account {account.name!r} is not on hold")
    return directory.change(AccountEntry, account.account_id, held_at=None, hold_reason="")


def _days(kind: str, text: str) -> int | None:
    if text in ("forever", "default"):
        return 0 if text == "forever" else None
    if text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST:
        return int(text)
    raise DirectoryRefused(
        f"--{kind} {text!r} is no time: take days (at least 1), forever, or default for what the "
        "settings say"
    )


def _refuse_recordings_without_calls(calls: int | None, recordings: int | None) -> None:
    if calls and recordings and recordings > calls:
        raise DirectoryRefused(
            f"a recording goes with its call's record, which this account keeps for {calls} days: "
            f"take --recordings {calls} or less, or forever for as long as the call"
        )
