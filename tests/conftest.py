"""What tests of several kinds share: a PostgreSQL server, started when the first one asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import Cluster
from trunkline.db.postgres.schema import upgrade

_TESTS = Path(__file__).parent
_ALONE = ("whole", "engine")
"""Folders whose tests share an Asterisk, or Debian's package manager: one worker runs all of them."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several workers (``-n``), one runs a file, so that its fixtures are made once."""
    for item in items:
        path = item.path.relative_to(_TESTS)
        group = path.parts[0] if path.parts[0] in _ALONE else str(path)
        item.add_marker(pytest.mark.xdist_group(group))
    if hasattr(config, "workerinput"):  # what takes longest is begun first
        items.sort(key=lambda item: "whole" not in item.path.relative_to(_TESTS).parts[:1])


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
