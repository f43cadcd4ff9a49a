"""Is it alive, is it ready, how is it doing?"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from trunkline import __version__
from trunkline.api.http.answers import NO_STORE, Answer
from trunkline.api.http.deps import ApiDeps
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.work.upkeep.vital_signs import Vitals, VitalSigns

MOST_LAG = 30.0
"""Seconds by which the log may lag behind before the server counts as not ready."""

_PING_FOR = 1_000_000
_PING_SECONDS = 3.0
_NO_WRITES = "the database takes no writes"
_encode = msgspec.json.Encoder().encode


class Health:
    """/, /healthz, /readyz and /metrics, as route handlers."""

    def __init__(self, deps: ApiDeps, measures: Sequence[Measure] = ()) -> None:
        """Registers ``measures`` in ``deps.registry``."""
        self._deps = deps
        self._measures = measures
        for measure in measures:
            deps.registry.register(measure)
        self._pinged: tuple[int, str] = (-_PING_FOR, "")

    async def root(self) -> Answer:
        """GET /"""
        return Answer(_encode({"name": "trunkline", "version": __version__, "status": "ok"}))

    async def healthz(self) -> Answer:
        """GET /healthz: 200 once calls can be made; in a process without an engine, always."""
        reasons = reasons_against(await self._deps.vital_signs.read())
        status = "unavailable" if reasons else "ok"
        return Answer(_encode({"status": status, "reasons": reasons}), 503 if reasons else 200)

    async def readyz(self) -> Answer:
        """GET /readyz: each check by itself; without the main server, all but calls is served."""
        vitals = await self._deps.vital_signs.read()
        stored = await self._database() if vitals.calls_stored else _NO_WRITES
        checks = {"database": stored, **checks_of(vitals)}
        ready = all(said == "ok" for name, said in checks.items() if name != "main")
        return Answer(_encode({"ready": ready, "checks": checks}), 200 if ready else 503)

    async def metrics(self) -> Answer:
        """GET /metrics, in Prometheus' text format."""
        for measure in self._measures:
            await measure.take()
        kind = (b"content-type", CONTENT_TYPE_LATEST.encode())
        return Answer(generate_latest(self._deps.registry), 200, (kind, NO_STORE))

    async def _database(self) -> str:
        """What the last ping said; at most one a second, so that strangers cost no writes."""
        now = self._deps.clock()
        if now - self._pinged[0] >= _PING_FOR:
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    await self._deps.db.ping()
                self._pinged = (now, "ok")
            except (DatabaseUnavailable, TimeoutError):
                self._pinged = (now, _NO_WRITES)
        return self._pinged[1]


_NO_ROOM = "the disk is full: new calls are refused"
_DEAF = "new events do not come: the database is away"


def checks_of(vitals: Vitals) -> dict[str, str]:
    """Each part that this process has, or needs: "ok", or what is wrong with it."""
    checks = {"draining": "the server is being stopped" if vitals.draining else "ok"}
    if vitals.engine_up is not None:
        late = vitals.log_lag_seconds > MOST_LAG
        checks["engine"] = "ok" if vitals.engine_up else "the engine is not up"
        checks["log"] = "the log is not keeping up" if late else "ok"
        checks["room"] = "ok" if vitals.has_room else _NO_ROOM
    if vitals.main_trouble is not None:
        checks["main"] = vitals.main_trouble or "ok"
        checks["events"] = "ok" if vitals.hears_events else _DEAF
    return checks


def reasons_against(vitals: Vitals) -> list[str]:
    """Why no call can be made now; empty when calls can be made, or are another process' part."""
    reasons = ["the engine is not up"] if vitals.engine_up is False else []
    reasons += [] if vitals.has_room else [_NO_ROOM]
    return [*reasons, "the server is being stopped"] if vitals.draining else reasons


class Measure(Collector, ABC):
    """Metrics that have to be awaited: taken first, at each scrape, and then collected."""

    @abstractmethod
    async def take(self) -> None:
        """Read what ``collect`` will show."""

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry asks at its start, when nothing has been taken."""
        return []


class VitalSignsCollector(Measure):
    def __init__(self, vital_signs: VitalSigns) -> None:
        self._vital_signs = vital_signs
        self._vitals: Vitals | None = None

    async def take(self) -> None:
        self._vitals = await self._vital_signs.read()

    def collect(self) -> Iterable[Metric]:
        """All of them; none before the first reading."""
        vitals = self._vitals
        if vitals is None:
            return
        for name, text, gauge in _gauges(vitals):
            yield GaugeMetricFamily(f"trunkline_{name}", text, value=gauge)
        for name, text, count in _counters(vitals):
            yield CounterMetricFamily(f"trunkline_{name}", text, value=count)
        yield _connections(vitals)


def _gauges(vitals: Vitals) -> list[tuple[str, str, float]]:
    up = (
        "up",
        "1 when calls can be made; 1 in a process without an engine.",
        not reasons_against(vitals),
    )
    if vitals.engine_up is None:
        return [up, ("main_up", "1 when the main server answers.", not vitals.main_trouble)]
    return [
        up,
        ("log_room", "1 while there is room on the disk for new calls.", vitals.has_room),
        ("calls_live", "Calls that are going on.", vitals.calls_live),
        ("log_lag_seconds", "Age of the oldest log row not yet taken in.", vitals.log_lag_seconds),
        ("recordings_waiting", "Recordings not yet made.", vitals.recordings_waiting),
        ("registrations_online", "Devices that are online.", vitals.registrations_online),
        (
            "sip_connections",
            "SIP connections over TCP and TLS; Asterisk can have 1,010.",
            vitals.sip_connections,
        ),
    ]


def _connections(vitals: Vitals) -> Metric:
    text = "Clients connected for events, by transport."
    family = GaugeMetricFamily("trunkline_event_connections", text, labels=["transport"])
    for transport, count in vitals.event_connections.items():
        family.add_metric([transport], count)
    return family


def _counters(vitals: Vitals) -> list[tuple[str, str, float]]:
    refused = (
        "connections_refused",
        "Connections refused, or let go for others, since their address has too many.",
        vitals.connections_refused,
    )
    if vitals.engine_up is None:
        return [refused]
    return [
        refused,
        ("events", "Events stored.", vitals.events_total),
        ("sip_messages", "SIP messages of calls kept.", vitals.sip_messages_total),
        ("sip_messages_dropped", "SIP messages not kept.", vitals.sip_messages_dropped),
        (
            "calls_refused_for_room",
            "Calls refused because the disk was full, since the engine started.",
            vitals.refused_for_room,
        ),
        ("engine_restarts", "How often the engine died.", vitals.engine_restarts),
    ]


def request_counter(deps: ApiDeps) -> Counter:
    labels = ["method", "route", "status"]
    return Counter(
        "trunkline_http_requests", "HTTP requests answered.", labels, registry=deps.registry
    )
