"""Is it alive, is it ready, how is it doing?"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from trunkline import __version__
from trunkline.api.answers import NO_STORE, Answer
from trunkline.api.deps import ApiDeps
from trunkline.db.port import DatabaseUnavailable
from trunkline.work.vital_signs import Vitals, VitalSigns

MOST_LAG = 30.0
"""Seconds by which the log may lag behind before the server counts as not ready."""

_PING_FOR = 1_000_000
_encode = msgspec.json.Encoder().encode


class Health:
    """/, /healthz, /readyz and /metrics, as route handlers."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._pinged: tuple[int, str] = (-_PING_FOR, "")

    async def root(self) -> Answer:
        """GET /"""
        return Answer(_encode({"name": "trunkline", "version": __version__, "status": "ok"}))

    async def healthz(self) -> Answer:
        """GET /healthz: 200 once calls can be made."""
        reasons = reasons_against(self._deps.vital_signs.read())
        status = "unavailable" if reasons else "ok"
        return Answer(_encode({"status": status, "reasons": reasons}), 503 if reasons else 200)

    async def readyz(self) -> Answer:
        """GET /readyz: each check by itself."""
        vitals = self._deps.vital_signs.read()
        checks = {
            "database": await self._database(),
            "engine": "ok" if vitals.engine_up else "the engine is not up",
            "log": "ok" if vitals.log_lag_seconds <= MOST_LAG else "the log is not keeping up",
            "draining": "the server is being stopped" if vitals.draining else "ok",
        }
        ready = all(said == "ok" for said in checks.values())
        return Answer(_encode({"ready": ready, "checks": checks}), 200 if ready else 503)

    async def metrics(self) -> Answer:
        """GET /metrics, in Prometheus' text format."""
        kind = (b"content-type", CONTENT_TYPE_LATEST.encode())
        return Answer(generate_latest(self._deps.registry), 200, (kind, NO_STORE))

    async def _database(self) -> str:
        """What the last ping said; at most one a second, so that strangers cost no writes."""
        now = self._deps.clock()
        if now - self._pinged[0] >= _PING_FOR:
            try:
                await self._deps.db.ping()
                self._pinged = (now, "ok")
            except DatabaseUnavailable:
                self._pinged = (now, "the database takes no writes")
        return self._pinged[1]


def reasons_against(vitals: Vitals) -> list[str]:
    """Why no call can be made now; empty when calls can be made."""
    reasons = [] if vitals.engine_up else ["the engine is not up"]
    return [*reasons, "the server is being stopped"] if vitals.draining else reasons


class VitalSignsCollector(Collector):
    """Turns a reading of the vital signs into metrics, at each scrape."""

    def __init__(self, vital_signs: VitalSigns) -> None:
        self._vital_signs = vital_signs

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        vitals = self._vital_signs.read()
        for name, text, gauge in _gauges(vitals):
            yield GaugeMetricFamily(f"trunkline_{name}", text, value=gauge)
        for name, text, count in _counters(vitals):
            yield CounterMetricFamily(f"trunkline_{name}", text, value=count)
        yield _connections(vitals)

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry asks at its start, when there may be no vital signs yet."""
        return []


def _gauges(vitals: Vitals) -> list[tuple[str, str, float]]:
    return [
        ("up", "1 when calls can be made.", not reasons_against(vitals)),
        ("calls_live", "Calls that are going on.", vitals.calls_live),
        ("log_lag_seconds", "Age of the oldest log row not yet taken in.", vitals.log_lag_seconds),
        ("recordings_waiting", "Recordings not yet made.", vitals.recordings_waiting),
        ("registrations_online", "Devices that are online.", vitals.registrations_online),
    ]


def _connections(vitals: Vitals) -> Metric:
    text = "Clients connected for events, by transport."
    family = GaugeMetricFamily("trunkline_event_connections", text, labels=["transport"])
    for transport, count in vitals.event_connections.items():
        family.add_metric([transport], count)
    return family


def _counters(vitals: Vitals) -> list[tuple[str, str, float]]:
    return [
        ("events", "Events stored.", vitals.events_total),
        ("engine_restarts", "How often the engine died.", vitals.engine_restarts),
    ]


def request_counter(deps: ApiDeps) -> Counter:
    """Counts HTTP answers by method, route and status."""
    labels = ["method", "route", "status"]
    return Counter(
        "trunkline_http_requests", "HTTP requests answered.", labels, registry=deps.registry
    )
