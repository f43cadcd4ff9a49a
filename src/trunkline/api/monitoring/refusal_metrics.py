"""Refused calls as a metric, counted since the process started."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from trunkline.calls.refusals import REASONS, RefusalReason


class RefusalMetrics:
    """By the reason; by no account."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refused = Counter(
            "trunkline_calls_refused",
            "Calls that the switch itself refused.",
            ["reason"],
            registry=registry,
        )
        for reason in REASONS:
            self._refused.labels(reason)

    def add(self, reason: RefusalReason) -> None:
        """Count one."""
        self._refused.labels(reason).inc()
