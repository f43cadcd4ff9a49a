"""What the HTTP API needs from the rest; ``server/`` fills it in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from trunkline.bus.port import Bus
from trunkline.events.stored import StoredEvent
from trunkline.recordings.port import Store
from trunkline.store.ports.database import App, Database
from trunkline.work.control.transfer_call import Transferred, TransferWanted
from trunkline.work.deliver.deliver_webhooks import DeliveryCounts
from trunkline.work.deliver.try_webhook import TryWebhook
from trunkline.work.failed_logins import FailedLogins
from trunkline.work.manage.webhooks import ManageWebhooks
from trunkline.work.place.place_call import CallPlaced, CallWanted
from trunkline.work.upkeep.vital_signs import VitalSigns


@dataclass(frozen=True, kw_only=True)
class ApiDeps:
    """Everything from outside. The settings have the names and meanings of ``settings.py``."""

    db: Database
    place_call: Callable[[App, CallWanted], Awaitable[CallPlaced]]
    """The verb; raises Refused."""
    transfer_call: Callable[[TransferWanted], Awaitable[Transferred]]
    """The verb; raises Refused."""
    store: Store
    vital_signs: VitalSigns
    sync: Callable[[], Awaitable[None]]
    """Takes a changed directory into the engine; returns once it has."""
    trigger_event: Callable[[str, str, str | None], Awaitable[Sequence[StoredEvent]]]
    """The verb (account id, sample's name, call id or None for a new one); raises Refused."""
    manage_webhooks: ManageWebhooks
    try_webhook: TryWebhook
    """The verbs; both raise Refused."""
    sync_token: str = field(repr=False)
    """The bearer token of server.json."""
    url_key: bytes = field(repr=False)
    """The key that recordings' links are signed with (32 random bytes of the installation)."""
    answers_key: bytes = field(repr=False)
    """The key that kept answers of /v1 are encrypted with (32 bytes, likewise)."""
    bus: Bus
    """What requests that wait for events are woken by."""
    clock: Callable[[], int]
    """Now, in unix microseconds."""
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    """Where the API's metrics go, and what /metrics shows."""
    webhook_tally: DeliveryCounts | None = field(default_factory=DeliveryCounts)
    """What has been delivered since the start; None where another process delivers."""
    logins: FailedLogins = field(default_factory=lambda: FailedLogins(time.monotonic))
    """Where wrong credentials are counted and told."""
    shared: bool = False
    """May other processes answer requests on the same database?"""
    public_url: str = ""
    cors_origins: str = "*"
    token_seconds: int = 3600
    recording_url_seconds: int = 300
    request_rate: str = "500/second"
    call_rate: str = "20/second"
    v1_request_rate: str = "100/second"
    auth_failures: str = "20/minute"
    docs: bool = True
    metrics: bool = True
