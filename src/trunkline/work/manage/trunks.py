"""Add and change trunks, and find who shares an address."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
    TrunkEntry,
)
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import new_id, refuse_taken
from trunkline.work.manage.limits import limits


def create_trunk(
    directory: DirectoryTransaction,
    account: AccountEntry,
    name: str,
    host: str,
    *,
    transport: str = "udp",
    auth_user: str | None = None,
    auth_password: str | None = None,
    register: bool = False,
    match: Sequence[str] = (),
    priority: int = 10,
    srtp: str = "off",
    max_calls: str | None = None,
    max_rate: str | None = None,
    sandbox: bool = False,
) -> TrunkEntry:
    """Add a trunk to ``HOST:PORT``."""
    rules.label(name, "a trunk's name")
    refuse_taken(
        directory.called(TrunkEntry, name, account.account_id),
        f"a trunk called {name!r} in account {account.name!r}",
    )
    if account.sandbox and not sandbox:
        raise DirectoryRefused(
            f"account {account.name!r} is a sandbox account, and those reach no real trunk: "
            "make another account with trunkline account create"
        )
    rules.credentials(auth_user, auth_password, register)
    rules.transport(transport)
    address, port = rules.host_and_port(host, 5061 if transport == "tls" else 5060)
    return directory.add(
        TrunkEntry,
        new_id(),
        account_id=account.account_id,
        name=name,
        host=address,
        port=port,
        transport=transport,
        auth_user=auth_user,
        auth_password=None if auth_password is None else directory.encrypted(auth_password),
        register=register,
        match=rules.networks(match, "--match"),
        priority=priority,
        srtp=rules.trunk_srtp(srtp, transport),
        sandbox=sandbox,
        **limits(max_calls, max_rate),
    )


def set_trunk(
    directory: DirectoryTransaction,
    trunk: TrunkEntry,
    *,
    max_calls: str | None = None,
    max_rate: str | None = None,
) -> TrunkEntry:
    """Change what is given of a trunk; returns it as it is then. Raises DirectoryRefused."""
    wanted = limits(max_calls, max_rate)
    if not wanted:
        raise DirectoryRefused("say what to change: --max-calls or --max-rate")
    return directory.change(TrunkEntry, trunk.trunk_id, **wanted)


def accounts_at_the_same_address(directory: DirectoryTransaction, trunk: TrunkEntry) -> list[str]:
    """The names of other accounts whose trunks take calls from an address of this trunk.

    A carrier is known by its address alone, so Asterisk takes a call from a shared address for any of
    these accounts. Networks are compared as they are written.
    """
    own = set(trunk.match or [trunk.host])
    others = {
        other.account_id
        for other in directory.all(TrunkEntry)
        if other.account_id != trunk.account_id and own & set(other.match or [other.host])
    }
    return [account.name for account in directory.all(AccountEntry) if account.account_id in others]
