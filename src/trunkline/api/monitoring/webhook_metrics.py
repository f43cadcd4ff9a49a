"""Webhooks as metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from trunkline.api.http.deps import ApiDeps
from trunkline.api.monitoring.health import Measure
from trunkline.calls.times import SECOND
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.ports.webhooks import Backlog
from trunkline.work.deliver.deliver_webhooks import DeliveryCounts


class WebhookCollector(Measure):
    def __init__(self, deps: ApiDeps, tally: DeliveryCounts) -> None:
        self._deps = deps
        self._tally = tally
        self._backlog: Backlog | None = None

    async def take(self) -> None:
        """Read the backlog; none where the database cannot be read."""
        try:
            self._backlog = await self._deps.db.deliveries.backlog()
        except DatabaseUnavailable:
            self._backlog = None

    def collect(self) -> Iterable[Metric]:
        """All of them; without the backlog where the database cannot be read."""
        tally = self._tally
        yield _counter(
            "attempts", "Requests to webhooks, by what came back.", "result", tally.attempts
        )
        ends = {"delivered": tally.delivered, "failed": tally.failed}
        yield _counter("deliveries", "Webhook deliveries that are done.", "state", ends)
        for name, text, value in self._gauges(self._backlog) if self._backlog else ():
            yield GaugeMetricFamily(f"trunkline_webhook_{name}", text, value=value)

    def _gauges(self, backlog: Backlog) -> list[tuple[str, str, float]]:
        age = 0 if backlog.oldest is None else max(0, self._deps.clock() - backlog.oldest)
        return [
            ("pending", "Deliveries not yet done, counted up to 100,000.", backlog.pending),
            ("lag_seconds", "Age of the oldest delivery not yet done.", age / SECOND),
            ("stopped", "Webhooks that were suspended, or disabled by a 410.", backlog.stopped),
        ]


def _counter(name: str, text: str, label: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"trunkline_webhook_{name}", text, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family
