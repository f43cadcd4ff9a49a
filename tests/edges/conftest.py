"""What both databases have to keep is tried on each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from store.making import KEY, office
from trunkline.store.location import Location
from trunkline.store.opening import open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """An empty database of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return tmp_path / "trunkline.db"


@pytest.fixture
async def database(place: Location) -> AsyncIterator[Any]:
    """It, open."""
    opened = open_database(place, KEY)
    yield opened
    await opened.close()


@pytest.fixture
def account_id(place: Location) -> str:
    """An account in it."""
    return office(place)[0].account_id
