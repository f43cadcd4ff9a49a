"""The quality of calls' audio as metrics, counted since the process started."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram

from trunkline.calls.call import Leg

_MEASURED = {
    "mos": (
        "MOS of legs that are over, by the E-model.",
        (1.5, 2.0, 2.5, 3.0, 3.3, 3.6, 3.8, 4.0, 4.2, 4.3),
    ),
    "loss_ratio": (
        "Share of packets lost, of legs that are over.",
        (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5),
    ),
    "jitter_seconds": (
        "Mean jitter of legs that are over.",
        (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5),
    ),
    "round_trip_seconds": (
        "Mean round trip of legs that are over.",
        (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0),
    ),
}
"""What is counted: in words, and by which bounds."""


class QualityMetrics:
    """By the leg's endpoint (device, trunk) and the direction (received, sent, both); by no account."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("endpoint", "direction")
        self._of = {
            what: Histogram(
                f"trunkline_leg_{what}", text, labels, buckets=bounds, registry=registry
            )
            for what, (text, bounds) in _MEASURED.items()
        }

    def add(self, leg: Leg) -> None:
        """Count a leg that is over."""
        if leg.quality is None:
            return
        for way, stream in (("received", leg.quality.received), ("sent", leg.quality.sent)):
            self._add("mos", leg, way, stream.mos, 1)
            self._add("loss_ratio", leg, way, stream.loss_percent, 100)
            self._add("jitter_seconds", leg, way, stream.jitter_ms, 1000)
        self._add("round_trip_seconds", leg, "both", leg.quality.round_trip_ms, 1000)

    def _add(self, what: str, leg: Leg, way: str, value: float | None, unit: int) -> None:
        if value is not None:
            self._of[what].labels(leg.endpoint_kind, way).observe(value / unit)
