"""The quality of calls' audio as metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from trunkline.api.monitoring.health import Measure
from trunkline.work.follow.quality_counts import QualityCounts

_TEXTS = {
    "mos": "MOS of legs that are over, by the E-model.",
    "loss_ratio": "Share of packets lost, of legs that are over.",
    "jitter_seconds": "Mean jitter of legs that are over.",
    "round_trip_seconds": "Mean round trip of legs that are over.",
}


class QualityCollector(Measure):
    def __init__(self, counts: QualityCounts) -> None:
        self._counts = counts

    async def take(self) -> None:
        """Nothing has to be awaited."""

    def collect(self) -> Iterable[Metric]:
        """All of them, by the leg's endpoint (device, trunk) and the direction (received, sent)."""
        labels = ["endpoint", "direction"]
        families = {
            what: HistogramMetricFamily(f"trunkline_leg_{what}", text, labels=labels)
            for what, text in _TEXTS.items()
        }
        for (what, *values), spread in sorted(self._counts.spreads.items()):
            families[what].add_metric(values, list(spread.upto()), spread.total)
        return families.values()
