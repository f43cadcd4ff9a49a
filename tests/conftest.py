"""What tests of several kinds share: a PostgreSQL server, started when the first one asks for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from cluster import Cluster
from trunkline.store.postgres.schema import upgrade

WHOLE = "tests/whole"
_TOGETHER = ("tests/engine",)
"""Folders whose tests share Debian's package manager: one worker runs all of them."""
_HALVES = 2
"""Whole tests mostly wait; so many workers run them, each on an Asterisk of its own."""

# No example is too slow: the machine may have other work.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


def pytest_configure() -> None:
    """Let programs that tests start hear a Ctrl-C, also where we were started to ignore it.

    A script's ``&`` starts us so (POSIX, Shell, 2.11), and what is ignored stays so in a child; what
    is handled comes to its default there (execve(2)).
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)


def _together(nodeid: str) -> str:
    """What one of several workers (``-n``) runs: fixtures are made once in it."""
    file = nodeid.partition("::")[0]
    if file.startswith(f"{WHOLE}/"):
        return f"{WHOLE} {_whole_files().index(Path(file).name) % _HALVES}"
    return next((each for each in _TOGETHER if file.startswith(f"{each}/")), file)


@cache
def _whole_files() -> list[str]:
    return sorted(file.name for file in Path(__file__).parent.joinpath("whole").glob("test_*.py"))


class ByFile(LoadScopeScheduling):
    """Files, and those folders, are handed out in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return _together(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """The workers' scheduler."""
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest is begun first, where something else runs beside it."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not _together(item.nodeid).startswith(WHOLE))


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
