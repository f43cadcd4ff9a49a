"""Migration 0015 on both databases: each device's legs tell how their audio went, and nothing else changes."""

from __future__ import annotations

from store.test_short_terms import migrate, place, query
from trunkline.store.location import Location
from trunkline.store.migrations import revisions

__all__ = ["place"]

BEFORE = revisions()[revisions().index("0015") - 1]


def columns(place: Location) -> list[str]:
    if isinstance(place, str):
        found = "SELECT column_name FROM information_schema.columns WHERE table_name = 'ps_endpoints' ORDER BY ordinal_position"
        return [name for (name,) in query(place, found)]
    return [name for _, name, *_ in query(place, "PRAGMA table_info(ps_endpoints)")]


def test_the_view_gets_one_column_more_and_gives_it_back(place: Location) -> None:
    migrate(place, BEFORE)
    before = columns(place)
    migrate(place, "0015")
    assert columns(place) == [*before, "set_var"]
    migrate(place, BEFORE)
    assert columns(place) == before
    migrate(place, "0015")
    assert columns(place) == [*before, "set_var"]
