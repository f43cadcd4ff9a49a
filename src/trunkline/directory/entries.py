"""What the directory holds, as it is shown: accounts, apps, users, devices, trunks, numbers and keys."""

from __future__ import annotations

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing of the directory, as it is shown."""


class Switched(Entry, frozen=True, kw_only=True):
    """One with a switch of its own; that of what it belongs to is not told here."""

    enabled: bool


class AccountEntry(Switched, frozen=True, kw_only=True):
    """An account. What it may dial is said in prefixes; without any to allow, it may dial all.

    ``max_calls``: how many calls to the outside it may have at once, and ``max_rate``: how many new ones a minute;
    None: any number. So it is with devices and trunks. ``emergency_numbers`` are those of its country, and what is
    listed beside them.

    ``keep_…`` are days; 0: for good; None: as the settings say. ``held_at`` (unix microseconds):
    since then it is on legal hold, and nothing of it is deleted.
    """

    account_id: str
    name: str
    timezone: str
    realm: str | None
    caller_id: str | None
    dial_allow: list[str]
    dial_deny: list[str]
    country: str | None
    emergency_listed: list[str]
    emergency_numbers: list[str]
    max_calls: int | None
    max_rate: int | None
    record: bool
    recording_format: str
    sandbox: bool
    keep_calls: int | None = None
    keep_events: int | None = None
    keep_recordings: int | None = None
    held_at: int | None = None
    hold_reason: str = ""


class AppEntry(Switched, frozen=True, kw_only=True):
    """An application's credentials, without the secret."""

    app_id: str
    account_id: str
    name: str
    legacy_hashes: bool
    allowed_addresses: list[str]
    read_only: bool


class UserEntry(Switched, frozen=True, kw_only=True):
    """A person with an extension, which is the first of theirs.

    ``busy``, ``no_answer`` and ``offline`` are where their calls go on then, as KIND:NAME.
    """

    user_id: str
    account_id: str
    username: str
    name: str
    extension: str | None
    caller_id: str | None
    busy: str | None
    no_answer: str | None
    offline: str | None


class DeviceEntry(Switched, frozen=True, kw_only=True):
    """A phone of a user; ``online`` as last heard. ``srtp``: off, optional or required.

    ``secure``: it registered over TLS, as last heard; without that, it has no SRTP.
    """

    device_id: str
    account_id: str
    user_id: str
    username: str
    sip_user: str
    realm: str
    srtp: str
    max_calls: int | None
    max_rate: int | None
    online: bool
    secure: bool


class TrunkEntry(Switched, frozen=True, kw_only=True):
    """A line to a carrier, without its password. The lowest ``priority`` is dialled by.

    ``up`` is as last heard: None for one that is disabled, or was never heard of.
    """

    trunk_id: str
    account_id: str
    name: str
    host: str
    port: int
    transport: str
    auth_user: str | None
    register: bool
    match: list[str]
    priority: int
    srtp: str
    max_calls: int | None
    max_rate: int | None
    sandbox: bool
    up: bool | None


class NumberEntry(Switched, frozen=True, kw_only=True):
    """An inbound number and what it leads to, as KIND:NAME; a user is named beside that."""

    number_id: str
    account_id: str
    user_id: str | None
    username: str | None
    did: str
    to: str


class ExtensionEntry(Entry, frozen=True, kw_only=True):
    """An internal number and what it leads to, as KIND:NAME."""

    extension_id: str
    account_id: str
    number: str
    to: str


class AnnouncementEntry(Switched, frozen=True, kw_only=True):
    """A prompt that is said, and where calls go on then, as KIND:NAME. ``source``: upload or text."""

    announcement_id: str
    account_id: str
    name: str
    source: str
    text: str
    file: str
    next: str | None


class MusicEntry(Entry, frozen=True, kw_only=True):
    """What who is held may hear; ``used``: the account's parties hear it now."""

    music_id: str
    account_id: str
    name: str
    seconds: int
    used: bool


class RouteEntry(Entry, frozen=True, kw_only=True):
    """Numbers of a prefix go out by a trunk, some digits taken off and others put before them."""

    route_id: str
    account_id: str
    prefix: str
    trunk: str
    order: int
    strip: int
    prepend: str


class KeyEntry(Switched, frozen=True, kw_only=True):
    """A key of /v1, without the key. Times are unix microseconds; not enabled: revoked."""

    key_id: str
    account_id: str
    name: str
    prefix: str
    scopes: list[str]
    allowed_addresses: list[str]
    created_at: int
    expires_at: int | None
    last_used_at: int | None


WAYS = ("busy", "no_answer", "offline", "next")
"""On what a call goes on from a destination."""
