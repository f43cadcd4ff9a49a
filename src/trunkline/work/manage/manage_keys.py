"""Manage the keys of /v1: make one, find it, revoke it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from trunkline.directory import rules as rules
from trunkline.directory.api_keys import PREFIX_LENGTH, SCOPES, key_hash, new_key
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.directory import AccountEntry, DirectoryTransaction, KeyEntry
from trunkline.work.manage.manage_directory import find, new_id, switch

_LIFETIME = re.compile(r"([1-9][0-9]{0,4})([hdw])", re.ASCII)
_HOUR = 3_600_000_000
_UNITS = {"h": _HOUR, "d": 24 * _HOUR, "w": 168 * _HOUR}


def create_key(
    directory: DirectoryTransaction,
    account: AccountEntry,
    name: str,
    scopes: Sequence[str],
    *,
    expires_at: int | None = None,
    allowed_addresses: Sequence[str] = (),
) -> tuple[KeyEntry, str]:
    """Add a key; returns its entry and the key itself, which can never be shown again.

    Names need not be unique: a key is replaced by one of the same name. Raises DirectoryRefused.
    """
    key = new_key(secrets.token_bytes(32))
    entry = directory.add(
        KeyEntry,
        new_id(),
        account_id=account.account_id,
        name=rules.label(name, "a key's name"),
        key_hash=key_hash(key),
        prefix=key[:PREFIX_LENGTH],
        scopes=",".join(_known(scopes)),
        allowed_addresses=rules.networks(allowed_addresses, "--from"),
        expires_at=expires_at,
    )
    return entry, key


def lifetime(text: str) -> int:
    """``90d`` (h, d or w) in microseconds; raises DirectoryRefused."""
    found = _LIFETIME.fullmatch(text)
    if not found:
        raise DirectoryRefused(f"--expires {text!r}: take a number of h, d or w, such as 90d")
    return int(found[1]) * _UNITS[found[2]]


def revoke_key(
    directory: DirectoryTransaction, wanted: str, account_id: str | None = None
) -> KeyEntry:
    """Revoke the key with that id, prefix or name, for good; returns it as it is now.

    Of several keys with one name, it takes the one that is not revoked. Raises DirectoryRefused.
    """
    return switch(directory, KeyEntry, _find(directory, wanted, account_id), False)


def _find(directory: DirectoryTransaction, wanted: str, account_id: str | None) -> KeyEntry:
    found = directory.called(KeyEntry, wanted, account_id)
    found += [
        entry
        for entry in directory.with_value(KeyEntry, "prefix", wanted)
        if account_id in (None, entry.account_id)
    ]
    good = [entry for entry in found if entry.enabled] or found
    return good[0] if len(good) == 1 else find(directory, KeyEntry, wanted, account_id)


def _known(scopes: Sequence[str]) -> list[str]:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise DirectoryRefused(
            f"there is no scope {unknown[0]!r}: take some of {', '.join(SCOPES)}"
            if unknown
            else f"a key needs scopes: take some of {', '.join(SCOPES)}"
        )
    return sorted(set(scopes))
