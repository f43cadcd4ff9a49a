"""Add and change devices: a SIP password is kept as its HA1 alone."""

from __future__ import annotations

import hashlib
import secrets

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
    DeviceEntry,
    UserEntry,
)
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import new_id, refuse_taken
from trunkline.work.manage.limits import limits


def create_device(
    directory: DirectoryTransaction,
    account: AccountEntry,
    user: UserEntry,
    sip_user: str,
    *,
    realm: str,
    password: str | None = None,
    allow_weak_password: bool = False,
    srtp: str = "off",
    max_calls: str | None = None,
    max_rate: str | None = None,
) -> tuple[DeviceEntry, str]:
    """Add a device; returns it and its SIP password, of which only the HA1 is stored.

    ``realm`` is the installation's; an account's own goes before it.
    """
    rules.sip_user(sip_user)
    taken = directory.with_value(DeviceEntry, "sip_user", sip_user)
    refuse_taken(taken, f"a device called {sip_user!r} in this installation")
    if password is None:
        password = secrets.token_urlsafe(15)
    else:
        rules.sip_password(password, weak=allow_weak_password)
    realm = account.realm or realm
    entry = directory.add(
        DeviceEntry,
        new_id(),
        account_id=account.account_id,
        user_id=user.user_id,
        sip_user=sip_user,
        realm=realm,
        ha1=ha1(sip_user, realm, password),
        srtp=rules.srtp(srtp),
        **limits(max_calls, max_rate),
    )
    return entry, password


def set_device(
    directory: DirectoryTransaction,
    device: DeviceEntry,
    *,
    srtp: str | None = None,
    max_calls: str | None = None,
    max_rate: str | None = None,
) -> DeviceEntry:
    """Change what is given of a device; returns it as it is then. Raises DirectoryRefused."""
    wanted: dict[str, object] = {**limits(max_calls, max_rate)}
    if srtp is not None:
        wanted["srtp"] = rules.srtp(srtp)
    if not wanted:
        raise DirectoryRefused(
            "say what to change: --srtp off, optional or required; --max-calls or --max-rate"
        )
    return directory.change(DeviceEntry, device.device_id, **wanted)


def ha1(sip_user: str, realm: str, password: str) -> str:
    """md5(user:realm:password), which a digest proves that one knows (RFC 2617, 3.2.2.2)."""
    text = f"{sip_user}:{realm}:{password}".encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()
