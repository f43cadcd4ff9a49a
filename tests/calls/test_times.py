"""Clocks of time zones: what a clock shows, and when it showed it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.calls.times import SECOND, by_clock, left_out, readings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = [
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Ho_Chi_Minh", "Asia/Beirut",
    "Africa/Casablanca", "Pacific/Apia", "America/Nuuk", "Asia/Gaza", "UTC",
]  # fmt: skip
WALL = datetime.fromisoformat
WALLS = st.datetimes(WALL("1971-01-01"), WALL("2099-12-30"))
CHANGES = {
    "Europe/Berlin": [WALL("2025-03-30T02:00"), WALL("2025-10-26T02:00")],
    "Australia/Lord_Howe": [WALL("2025-10-05T02:00"), WALL("2026-04-05T01:30")],
    "Pacific/Apia": [WALL("2011-12-30")],
    "Asia/Beirut": [WALL("2018-03-25"), WALL("2018-10-27T23:00")],
}


def shown(at: int, zone: str) -> datetime:
    return (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


near_a_change = st.sampled_from(sorted(CHANGES)).flatmap(
    lambda zone: st.tuples(
        st.just(zone),
        st.builds(
            lambda at, by: at + by,
            st.sampled_from(CHANGES[zone]),
            st.timedeltas(timedelta(days=-2), timedelta(days=2)),
        ),
    )
)
anywhere = st.tuples(st.sampled_from(ZONES), WALLS)


@given(st.one_of(anywhere, near_a_change))
def test_a_reading_is_when_the_clock_showed_it_or_the_change_that_left_it_out(
    given: tuple[str, datetime],
) -> None:
    zone, wall = given
    found = readings(wall, ZoneInfo(zone))

    assert list(found) == sorted(set(found))
    assert by_clock(wall, ZoneInfo(zone)) == found[0]
    if left_out(wall, ZoneInfo(zone)):
        (change,) = found
        assert shown(change - 1, zone) < wall < shown(change, zone)
    else:
        assert {shown(at, zone) for at in found} == {wall}


@given(zone=st.sampled_from(ZONES), at=st.integers(us("1971-01-02"), us("2099-01-01")))
def test_every_moment_is_among_the_readings_of_what_the_clock_shows(zone: str, at: int) -> None:
    assert at in readings(shown(at, zone), ZoneInfo(zone))


@given(zone=st.sampled_from(ZONES), pair=st.tuples(WALLS, st.integers(0, 200_000)))
def test_a_later_clock_time_is_never_an_earlier_moment(
    zone: str, pair: tuple[datetime, int]
) -> None:
    wall, seconds = pair
    later = wall + timedelta(seconds=seconds)
    first, second = readings(wall, ZoneInfo(zone)), readings(later, ZoneInfo(zone))

    assert first[0] <= second[0]
    assert first[-1] <= second[-1]


@pytest.mark.parametrize(
    ("wall", "zone", "expected"),
    [
        ("2025-03-30T01:59:59", "Europe/Berlin", ["2025-03-30T00:59:59Z"]),
        ("2025-03-30T02:00:00", "Europe/Berlin", ["2025-03-30T01:00:00Z"]),
        ("2025-03-30T02:59:59", "Europe/Berlin", ["2025-03-30T01:00:00Z"]),
        ("2025-03-30T03:00:00", "Europe/Berlin", ["2025-03-30T01:00:00Z"]),
        ("2025-10-26T02:30:00", "Europe/Berlin", ["2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"]),
        ("2025-10-26T03:00:00", "Europe/Berlin", ["2025-10-26T02:00:00Z"]),
        # half an hour is left out, and shown again
        ("2025-10-05T02:15:00", "Australia/Lord_Howe", ["2025-10-04T15:30:00Z"]),
        ("2026-04-05T01:45:00", "Australia/Lord_Howe", ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"]),
        # a whole day
        ("2011-12-30T12:00:00", "Pacific/Apia", ["2011-12-30T10:00:00Z"]),
        ("2025-03-30T02:30:00", "Asia/Ho_Chi_Minh", ["2025-03-29T19:30:00Z"]),
    ],
)  # fmt: skip
def test_known_changes(wall: str, zone: str, expected: list[str]) -> None:
    found = readings(datetime.fromisoformat(wall), ZoneInfo(zone))

    assert found == tuple(map(us, expected))
