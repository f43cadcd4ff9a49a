"""Add apps: the credentials of the Open API."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
    AppEntry,
)
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import new_id


def create_app(
    directory: DirectoryTransaction,
    account: AccountEntry,
    name: str = "",
    *,
    allowed_addresses: Sequence[str] = (),
    legacy_hashes: bool = True,
    read_only: bool = False,
) -> tuple[AppEntry, str]:
    """Add an app; returns it and its secret, which can never be shown again."""
    secret = secrets.token_hex(32)
    entry = directory.add(
        AppEntry,
        new_id(),
        account_id=account.account_id,
        name=rules.display_name(name),
        secret=directory.encrypted(secret),
        allowed_addresses=rules.networks(allowed_addresses, "--from"),
        legacy_hashes=legacy_hashes,
        read_only=read_only,
    )
    return entry, secret
