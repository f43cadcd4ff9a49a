"""Joins the HTTP door and the event sockets into one application, as the settings say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from trunkline.api.application import build_api
from trunkline.api.http.addresses import neighbourhood
from trunkline.api.http.deps import ApiDeps
from trunkline.api.v1.conventions.pipeline import V1
from trunkline.api.v1.event_stream import read_stream, stream_headers
from trunkline.live import Live, LiveDeps, LiveLimits, build_live
from trunkline.live.http.addresses import Addresses
from trunkline.server import open_files
from trunkline.server.settings import Settings


class Web(NamedTuple):
    """One ASGI application; ``end_polls`` has all requests that wait for events answered."""

    live: Live
    end_polls: Callable[[], None]
    addresses: Addresses


def web(settings: Settings, deps: ApiDeps) -> Web:
    """Join the doors; the settings go before what ``deps`` has.

    Registers metrics in ``deps.registry``, and listens on ``deps.bus`` from now on.
    """
    deps = _as_set(deps, settings)
    v1 = V1(deps)
    addresses = _addresses(settings)
    live = build_live(
        _live_deps(deps, v1, live_limits(settings), addresses),
        build_api(deps, v1),  # type: ignore[arg-type]
    )
    return Web(live, v1.close, addresses)


def _as_set(deps: ApiDeps, settings: Settings) -> ApiDeps:
    return replace(
        deps,
        public_url=settings.public_url,
        cors_origins=settings.cors_origins,
        token_seconds=settings.token_seconds,
        recording_url_seconds=settings.recording_url_seconds,
        request_rate=settings.request_rate,
        v1_request_rate=settings.v1_request_rate,
        call_rate=settings.call_rate,
        auth_failures=settings.auth_failures,
        docs=settings.docs,
        metrics=settings.metrics,
    )


def _live_deps(deps: ApiDeps, v1: V1, limits: LiveLimits, addresses: Addresses) -> LiveDeps:
    """The doors do not know each other: the stream gets here what it needs of /v1."""

    async def app_good(app_id: str) -> bool:
        return await deps.db.directory.app(app_id) is not None

    return LiveDeps(
        deps.db.events,
        deps.db.tokens,
        deps.bus,
        deps.clock,
        v1.admit,  # type: ignore[arg-type]  # two spellings of ASGI
        v1.refuse,  # type: ignore[arg-type]
        read_stream,  # type: ignore[arg-type]
        stream_headers,  # type: ignore[arg-type]
        v1.auth.valid,
        cors_origins=tuple(each.strip() for each in deps.cors_origins.split(",") if each.strip()),
        limits=limits,
        addresses=addresses,
        app_good=app_good,
    )


def _addresses(settings: Settings) -> Addresses:
    """Nobody may have more than half of what there is."""
    most = min(settings.connections_per_address or sys.maxsize, open_files.for_connections() // 2)
    return Addresses(
        most if settings.connections_per_address else 0,
        settings.event_connections_per_address,
        neighbourhood,
    )


def live_limits(settings: Settings) -> LiveLimits:
    return LiveLimits(
        sign_in_seconds=settings.event_sign_in_seconds,
        connections_per_app=settings.event_connections_per_app,
        streams_per_key=settings.event_streams_per_key,
        subscriptions_per_app=settings.event_subscriptions_per_app,
        commands_per_second=settings.event_commands_per_second,
    )
