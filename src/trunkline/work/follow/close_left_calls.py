"""Close the calls of nodes that are gone for good: no log will ever tell their ends.

A machine that died, or a data directory whose engine's files were lost, leaves live calls in a
PostgreSQL database; so does a backup that is restored for another data directory. An engine goes
on with its calls while its server starts again, so a node without a server is given time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from trunkline.store.ports.database import DatabaseUnavailable

GONE_SECONDS = 60.0
"""A node must have been without a server for so long."""


class Nodes(Protocol):
    async def nodes_away(self, node_id: str) -> list[str]:
        """The other nodes that have live calls and no server now."""


class Closing(Protocol):
    async def close_calls_of(self, node_id: str) -> None: ...


class CloseLeftCalls:
    """Is called again and again; ``clock`` gives seconds that only grow."""

    def __init__(
        self, nodes: Nodes, closing: Closing, node_id: str, clock: Callable[[], float]
    ) -> None:
        self._nodes, self._closing = nodes, closing
        self._node_id, self._clock = node_id, clock
        self._away_since: dict[str, float] = {}

    async def __call__(self) -> None:
        """Look once. A database that is away tells nothing of the nodes, so their time begins anew."""
        try:
            away, now = await self._nodes.nodes_away(self._node_id), self._clock()
            self._away_since = {each: self._away_since.get(each, now) for each in away}
            for node_id, since in self._away_since.items():
                if now - since >= GONE_SECONDS:
                    await self._closing.close_calls_of(node_id)
        except DatabaseUnavailable:
            self._away_since = {}
