"""What tests of a copy need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import Cluster
from store.copying import Office


@pytest.fixture
def empty_url(cluster: Cluster) -> Iterator[str]:
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def there(tmp_path: Path) -> Office:
    return Office(tmp_path)
