"""What tests of several kinds share: a PostgreSQL server, started when the first one asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster import Cluster
from trunkline.db.postgres.schema import upgrade


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The server that tests share; one that stops it takes a cluster of its own."""
    cluster = Cluster()
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def _template(cluster: Cluster) -> str:
    name = cluster.create()
    upgrade(cluster.url(name))
    return name


@pytest.fixture
def postgres_url(cluster: Cluster, _template: str) -> Iterator[str]:
    """A fresh database of this program's schema."""
    name = cluster.create(_template)
    yield cluster.url(name)
    cluster.drop(name)
