"""The public events of a webhook that gets nothing any more."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET

from trunkline.calls.times import gregorian, rfc3339
from trunkline.events.payloads import Variables, WebhookDisabled, WebhookSuspended
from trunkline.events.state import WebhookState
from trunkline.events.stored import Announcement


def webhook_stopped(
    account_id: str,
    webhook_id: str,
    url: str,
    status: Literal["suspended", "disabled"],
    *,
    reason: str,
    last_status: int | None,
    stopped_after: int,
    at: int,
    msg_id: int,
) -> Announcement:
    """WEBHOOK_SUSPENDED or WEBHOOK_DISABLED; its subject is the webhook's id.

    ``last_status`` is the HTTP status that it answered last, ``stopped_after`` the number of the
    last event that it took; ``at`` and ``msg_id`` are unix microseconds.
    """
    kind = WebhookSuspended if status == "suspended" else WebhookDisabled
    body = kind(
        timestamp=gregorian(at),
        event_time=rfc3339(at),
        msg_id=str(msg_id),
        webhook_id=webhook_id,
        webhook_url=url,
        reason=reason,
        last_status=UNSET if last_status is None else last_status,
        stopped_after=stopped_after,
        custom_channel_vars=Variables(account_id=account_id),
        state=WebhookState(
            id=webhook_id,
            url=url,
            status=status,
            reason=reason,
            last_status=last_status,
            stopped_after=stopped_after,
            since=rfc3339(at),
        ),
    )
    name = "WEBHOOK_SUSPENDED" if status == "suspended" else "WEBHOOK_DISABLED"
    return Announcement(account_id, "webhook", name, webhook_id, at, body)
