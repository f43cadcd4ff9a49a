"""Why the switch itself refused a call, or the way on which it was to go on."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

RefusalReason = Literal[
    "DEVICE_CALLS",
    "ACCOUNT_CALLS",
    "TRUNK_CALLS",
    "DEVICE_RATE",
    "ACCOUNT_RATE",
    "TRUNK_RATE",
    "NO_PORTS",
    "NOT_ALLOWED",
    "NO_TRUNK",
    "DRAINING",
    "DISK_FULL",
    "DATABASE_AWAY",
    "NOT_SECURE",
    "STEERED",
]
REASONS: tuple[RefusalReason, ...] = get_args(RefusalReason)
WHY = (
    "`DEVICE_CALLS`, `ACCOUNT_CALLS`, `TRUNK_CALLS`: the device, the account or the trunk has as many calls to the "
    "outside as it may have at once. `DEVICE_RATE`, `ACCOUNT_RATE`, `TRUNK_RATE`: as many new ones as it may have in a "
    "minute. `NO_PORTS`: all RTP ports are in use that the device, the account or all calls together may have. `NOT_ALLOWED`: the account may not dial the number. `NO_TRUNK`: it may, and no trunk takes it. "
    "`DRAINING`: the server is being stopped. `DISK_FULL`: the disk of the event log is full, so a call could leave no "
    "record. `DATABASE_AWAY`: the database did not say what the device may. `NOT_SECURE`: "
    "sound has to be encrypted, and the call did not come over TLS. `STEERED`: the phone named another host as its own."
)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal of what a leg was led to: ``number`` is what it was to dial, ``device`` on whose behalf, if any."""

    leg_id: str
    at: int
    reason: RefusalReason
    number: str = ""
    device: str = ""


def known(word: str | None) -> RefusalReason | None:
    return word if word in REASONS else None
