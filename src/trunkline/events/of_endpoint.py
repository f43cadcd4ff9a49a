"""The public events of devices and trunks: they come and go, and somebody guesses their passwords."""

from __future__ import annotations

from msgspec import UNSET

from trunkline.calls.times import gregorian, rfc3339
from trunkline.events.payloads import (
    AuthFailed,
    DeviceOffline,
    DeviceOnline,
    TrunkDown,
    TrunkUp,
    Variables,
)
from trunkline.events.state import DeviceState, TrunkReason, TrunkState
from trunkline.events.stored import Announcement


def device_state(
    account_id: str,
    device_id: str,
    sip_user: str,
    username: str | None,
    online: bool,
    at: int,
    msg_id: int,
    srtp: str = "off",
) -> Announcement:
    """DEVICE_ONLINE or DEVICE_OFFLINE; its subject is the device's SIP user name."""
    kind = DeviceOnline if online else DeviceOffline
    body = kind(
        timestamp=gregorian(at),
        event_time=rfc3339(at),
        msg_id=str(msg_id),
        device=sip_user,
        device_state="online" if online else "offline",
        custom_channel_vars=Variables(
            account_id=account_id,
            authorizing_id=device_id,
            authorizing_type="device",
            username=username or UNSET,
        ),
        state=DeviceState(
            sip_user=sip_user, username=username, online=online, srtp=srtp, since=rfc3339(at)
        ),
    )
    name = "DEVICE_ONLINE" if online else "DEVICE_OFFLINE"
    return Announcement(account_id, "device", name, sip_user, at, body)


def auth_failed(
    account_id: str,
    device_id: str,
    sip_user: str,
    username: str | None,
    address: str,
    count: int,
    at: int,
    msg_id: int,
    state: DeviceState,
) -> Announcement:
    """AUTH_FAILED; its subject is the device's SIP user name. ``address`` is empty for many of them."""
    body = AuthFailed(
        timestamp=gregorian(at),
        event_time=rfc3339(at),
        msg_id=str(msg_id),
        device=sip_user,
        address=address or UNSET,
        count=count,
        custom_channel_vars=Variables(
            account_id=account_id,
            authorizing_id=device_id,
            authorizing_type="device",
            username=username or UNSET,
        ),
        state=state,
    )
    return Announcement(account_id, "device", "AUTH_FAILED", sip_user, at, body)


def trunk_state(
    account_id: str,
    trunk_id: str,
    trunk: str,
    up: bool,
    at: int,
    msg_id: int,
    reason: TrunkReason | None = None,
) -> Announcement:
    """TRUNK_UP or TRUNK_DOWN; ``trunk`` is the trunk's name, and the event's subject.

    ``reason`` says why it is down.
    """
    kind = TrunkUp if up else TrunkDown
    body = kind(
        timestamp=gregorian(at),
        event_time=rfc3339(at),
        msg_id=str(msg_id),
        trunk=trunk,
        trunk_id=trunk_id,
        trunk_state="up" if up else "down",
        reason=reason or UNSET,
        custom_channel_vars=Variables(account_id=account_id),
        state=TrunkState(id=trunk_id, name=trunk, up=up, reason=reason, since=rfc3339(at)),
    )
    return Announcement(account_id, "trunk", "TRUNK_UP" if up else "TRUNK_DOWN", trunk, at, body)
