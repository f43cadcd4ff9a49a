"""Every endpoint of /v1 (see the package's docstring for how to add one)."""

from __future__ import annotations

from trunkline.api.v1 import (
    account,
    call_control,
    calls,
    deliveries,
    events,
    one_call,
    stats,
    webhooks,
)
from trunkline.api.v1.routing import Route

ROUTES: tuple[Route, ...] = (
    *account.ROUTES,
    *calls.ROUTES,
    *one_call.ROUTES,
    *call_control.ROUTES,
    *events.ROUTES,
    *stats.ROUTES,
    *webhooks.ROUTES,
    *deliveries.ROUTES,
)
