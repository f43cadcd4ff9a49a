"""Lives of a call log, for all tests that want some."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import stamina

from calls.replay import scenario
from work.lives import Lives, Living, prepared


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
async def living(tmp_path: Path, templates: Path) -> AsyncIterator[Living]:
    made: list[Lives] = []

    async def make(name: str) -> Lives:
        scene = scenario(name)
        lives = Lives(prepared(templates, scene), tmp_path / f"{len(made)}.db", scene)
        made.append(lives)
        if scene.requests:
            await lives.log.record(scene.requests)
        return lives

    yield make
    for lives in made:
        await lives.database.close()


@pytest.fixture
def insistent() -> Iterator[None]:
    """Retries wait for nothing."""
    stamina.set_testing(True, attempts=5)
    yield
    stamina.set_testing(False)
