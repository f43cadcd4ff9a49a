"""Every endpoint of /v1 (see the package's docstring for how to add one)."""

from __future__ import annotations

from trunkline.api.v1 import (
    call,
    call_export,
    call_transfer,
    calls,
    deliveries,
    events,
    keys,
    stats,
    webhooks,
)
from trunkline.api.v1.conventions.routing import Route

ROUTES: tuple[Route, ...] = (
    *keys.ROUTES,
    *calls.ROUTES,
    *call_export.ROUTES,
    *call.ROUTES,
    *call_transfer.ROUTES,
    *events.ROUTES,
    *stats.ROUTES,
    *webhooks.ROUTES,
    *deliveries.ROUTES,
)
