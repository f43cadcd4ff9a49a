"""Prepares the sandbox: an account of its own with an app, users, virtual phones and a trunk.

What is there already is kept, so that an application's credentials survive a restart.
"""

from __future__ import annotations

import secrets

import msgspec

from trunkline.store.directory import (
    AccountEntry,
    DeviceEntry,
    DirectoryTransaction,
    TrunkEntry,
    UserEntry,
)
from trunkline.work.manage import manage_directory as manage

ACCOUNT = "sandbox"
USERS = (("alice", "Alice", "101"), ("bob", "Bob", "102"), ("carol", "Carol", "103"))
DID = "5550199"
TRUNK = "sandbox-carrier"


class Sandbox(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a developer needs to use the sandbox; all of it is secret to outsiders."""

    account_id: str
    app_id: str
    app_secret: str
    phones: dict[str, str]
    """SIP user name -> SIP password of each virtual phone."""

    def __repr__(self) -> str:
        return f"Sandbox(account_id={self.account_id!r}, app_id={self.app_id!r})"


def prepare_sandbox(
    directory: DirectoryTransaction, kept: Sandbox | None, carrier: str, realm: str
) -> Sandbox:
    """Make what is missing; ``carrier`` is the sandbox engine's HOST:PORT.

    ``kept`` is what an earlier run returned. Without it, or when its account is gone, the account is
    made anew, since secrets are never shown twice.
    """
    account = _account(directory, kept)
    if account is None or kept is None:
        _remove(directory)
        account = manage.create_account(directory, ACCOUNT, sandbox=True)
        kept = _fill(directory, account, realm)
    _point_trunk(directory, account, carrier)
    return kept


def _account(directory: DirectoryTransaction, kept: Sandbox | None) -> AccountEntry | None:
    if kept is None:
        return None
    found = directory.called(AccountEntry, kept.account_id)
    return found[0] if found and found[0].sandbox else None


def _remove(directory: DirectoryTransaction) -> None:
    """A sandbox account whose credentials were lost gives up its name and its phones' names."""
    for account in directory.called(AccountEntry, ACCOUNT):
        if not account.sandbox:
            continue
        for device in directory.all(DeviceEntry, account.account_id):
            manage.delete(directory, DeviceEntry, device)
        directory.rename_account(account.account_id, f"{ACCOUNT}-{secrets.token_hex(3)}")


def _fill(directory: DirectoryTransaction, account: AccountEntry, realm: str) -> Sandbox:
    app, secret = manage.create_app(directory, account, "sandbox")
    phones: dict[str, str] = {}
    users: list[UserEntry] = []
    for username, name, extension in USERS:
        user = manage.create_user(directory, account, username, name=name, extension=extension)
        sip_user = f"sandbox-{username}"
        _, phones[sip_user] = manage.create_device(directory, account, user, sip_user, realm=realm)
        users.append(user)
    manage.create_number(directory, account, DID, users[0].user_id)
    return Sandbox(
        account_id=account.account_id, app_id=app.app_id, app_secret=secret, phones=phones
    )


def _point_trunk(directory: DirectoryTransaction, account: AccountEntry, carrier: str) -> None:
    trunks = directory.called(TrunkEntry, TRUNK, account.account_id)
    if trunks and f"{trunks[0].host}:{trunks[0].port}" == carrier:
        return
    for trunk in trunks:
        manage.delete(directory, TrunkEntry, trunk)
    manage.create_trunk(directory, account, TRUNK, carrier, sandbox=True)
