"""Wrong credentials as a metric: by no address and no device, since anybody can make up any number of them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from trunkline.api.monitoring.health import Measure
from trunkline.work.failed_logins import FailedLogins


class LoginsCollector(Measure):
    def __init__(self, logins: FailedLogins) -> None:
        self._logins = logins

    async def take(self) -> None:
        """Nothing has to be read."""

    def collect(self) -> Iterable[Metric]:
        """One counter."""
        text = "Wrong passwords, hashes and keys, by where they were tried."
        family = CounterMetricFamily("trunkline_failed_logins", text, labels=["door"])
        for door, count in self._logins.counts.items():
            family.add_metric([door], count)
        yield family
