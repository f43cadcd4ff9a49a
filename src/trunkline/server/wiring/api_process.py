"""Joins the parts of an API process: doors on another server's database, and the way to the main server."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.api.http.deps import ApiDeps
from trunkline.events.stored import StoredEvent
from trunkline.recordings.disk import DiskStore
from trunkline.server.api_process import ApiProcess, ApiVitals
from trunkline.server.clock import now
from trunkline.server.main_server_client import MainServerClient
from trunkline.server.settings import Settings
from trunkline.server.wiring.database import DatabaseParts
from trunkline.server.wiring.doors import Web, web
from trunkline.server.wiring.webhooks import SECRETS, post
from trunkline.store.secrets import InstallationKey
from trunkline.work.deliver.try_webhook import TryWebhook
from trunkline.work.manage.webhooks import ManageWebhooks
from trunkline.work.refused import Refused


def api_process(
    settings: Settings, key: InstallationKey, parts: DatabaseParts
) -> tuple[ApiProcess, Web]:
    """A process on an open PostgreSQL, and its doors. Nothing runs yet."""
    assert parts.run_bus is not None
    assert parts.bus_ready is not None
    main = MainServerClient(settings.directory, settings.main_url, key)
    vitals = ApiVitals(main, parts.hears_events)
    poster = post(settings, now)
    doors = web(
        settings,
        ApiDeps(
            db=parts.db,
            place_call=main.place_call,
            transfer_call=main.transfer_call,
            store=DiskStore(settings.directory / "recordings"),
            vital_signs=vitals,
            sync=main.sync,
            trigger_event=_refuse_samples,
            manage_webhooks=ManageWebhooks(
                parts.db, poster.check, key.derive(SECRETS), now, main.sync
            ),
            try_webhook=TryWebhook(parts.db, poster, now),
            webhook_tally=None,
            sync_token="",  # nobody comes in here by /internal
            url_key=key.derive("recording links"),
            answers_key=key.derive("kept answers"),
            bus=parts.bus,
            clock=now,
            shared=True,
        ),
    )
    vitals.event_connections = doors.live.connections
    vitals.connections_refused = lambda: doors.addresses.refused
    process = ApiProcess(
        db=parts.db, run_bus=parts.run_bus, bus_ready=parts.bus_ready, main=main, vitals=vitals
    )
    return process, doors


async def _refuse_samples(account_id: str, name: str, call_id: str | None) -> Sequence[StoredEvent]:  # noqa: ARG001
    raise Refused("NOT_FOUND", "The main server makes samples.")
