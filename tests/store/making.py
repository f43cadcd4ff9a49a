"""Values to put into a database."""

from __future__ import annotations

from trunkline.calls.facts import CallEnded, CallRequested, LegStarted, Party
from trunkline.calls.record import CallRecord
from trunkline.directory.entries import AccountEntry, DeviceEntry, UserEntry
from trunkline.events.stored import Announcement
from trunkline.store.location import Location
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.secrets import InstallationKey
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.users import create_user

KEY = InstallationKey(b"k" * 32)
AT = 1_700_000_000_000_000


def record(call_id: str, account_id: str, started_at: int = AT, **more: object) -> CallRecord:
    values: dict[str, object] = {
        "call_id": call_id,
        "account_id": account_id,
        "caller": Party("an1", username="an", name="An", user_id="u" * 32, device_id="d" * 32),
        "callee": Party("02873019555"),
        "class_": "trunking",
        "direction": "from_ab",
        "did_number": None,
        "status_detail": "SUCCESS",
        "started_at": started_at,
        "answered_at": started_at + 3_000_000,
        "ended_at": started_at + 9_000_000,
        "duration_seconds": 9,
        "billing_seconds": 6,
        "ringing_seconds": 2,
        "hangup_cause": "NORMAL_CLEARING",
        **more,
    }
    return CallRecord(**values)  # type: ignore[arg-type]


def announcement(account_id: str, n: int = 0, at: int = AT, **more: object) -> Announcement:
    body = {"Event-Name": "CHANNEL_CREATE", "n": n}
    return Announcement(account_id, "call", "CHANNEL_CREATE", f"leg-{n}", at, body, **more)  # type: ignore[arg-type]


def requested(call_id: str, account_id: str, at: int = AT) -> CallRequested:
    return CallRequested(
        call_id=call_id,
        at=at,
        account_id=account_id,
        app_id="a" * 32,
        caller=Party("an1", username="an"),
        callee=Party("0287"),
        class_="trunking",
        dialled="0287",
    )


def started(call_id: str, account_id: str, at: int = AT) -> LegStarted:
    return LegStarted(
        call_id=call_id,
        at=at,
        leg_id=call_id,
        account_id=account_id,
        direction="outbound",
        endpoint="an1",
        endpoint_kind="device",
    )


def ended(call_id: str, at: int = AT) -> CallEnded:
    return CallEnded(call_id=call_id, at=at)


def office(
    path: Location, name: str = "acme", sip_user: str = "an1"
) -> tuple[AccountEntry, UserEntry, DeviceEntry]:
    """An account with a user on extension 101 and a device of theirs."""
    with ManagedDirectory(path, KEY).transaction() as directory:
        account = create_account(directory, name)
        user = create_user(directory, account, "an", name="An", extension="101")
        device, _ = create_device(
            directory,
            account,
            user,
            sip_user,
            realm="trunkline",
            password="pw",
            allow_weak_password=True,
        )
    return account, user, device
