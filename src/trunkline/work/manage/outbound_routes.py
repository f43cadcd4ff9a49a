"""Add outbound routes."""

from __future__ import annotations

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
    RouteEntry,
    TrunkEntry,
)
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import new_id

MOST_ROUTES = 50
"""Of an account. All of them are read into one variable of Asterisk's, which holds 8192 characters."""


def create_route(
    directory: DirectoryTransaction,
    account: AccountEntry,
    trunk: TrunkEntry,
    *,
    prefix: str = "",
    order: int = 10,
    strip: int = 0,
    prepend: str = "",
) -> RouteEntry:
    prefix = rules.prefixes([prefix], "--prefix") if prefix else ""
    prepend = rules.prepend(prepend)
    if len(directory.all(RouteEntry, account.account_id)) >= MOST_ROUTES:
        raise DirectoryRefused(f"an account has at most {MOST_ROUTES} outbound routes")
    return directory.add(
        RouteEntry,
        new_id(),
        account_id=account.account_id,
        trunk_id=trunk.trunk_id,
        prefix=prefix,
        order=order,
        strip=strip,
        prepend=prepend,
    )
