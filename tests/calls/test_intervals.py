"""Cutting a window by a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.history.intervals import TooManyIntervals, cuts, local, whole_quarters
from trunkline.history.sums import DAY, QUARTER

ZONES = sorted(available_timezones())
YEAR = 365 * DAY
START = 2 * YEAR  # 1972: from then on all clocks but Liberia's are off by whole quarters


@given(
    start=st.integers(START // QUARTER, 60 * YEAR // QUARTER).map(lambda n: n * QUARTER),
    quarters=st.integers(1, 96 * 40),
    interval=st.sampled_from(["none", "hour", "day", "week", "month"]),
    zone=st.sampled_from(ZONES),
)
def test_the_pieces_are_the_window_and_begin_where_the_clock_says(start, quarters, interval, zone):
    end = start + quarters * QUARTER
    found = cuts(start, end, interval, zone, 10_000)
    assert (found[0], found[-1]) == (start, end)
    assert all(low < high and low % QUARTER == 0 for low, high in pairwise(found))
    longest = {"none": 400, "hour": 1 / 24, "day": 26 / 24, "week": 8, "month": 32}[interval]
    assert max(high - low for low, high in pairwise(found)) <= longest * DAY
    before = [datetime.fromtimestamp((at - 1) / 1e6, ZoneInfo(zone)) for at in found[1:-1]]
    after = [datetime.fromtimestamp(at / 1e6, ZoneInfo(zone)) for at in found[1:-1]]
    for old, new in zip(before, after, strict=True):
        if interval in ("day", "week", "month"):
            assert new.date() > old.date()
        if interval == "week":
            assert new.date().isocalendar()[1] != old.date().isocalendar()[1]
        if interval == "month":
            assert (new.year, new.month) != (old.year, old.month)


def test_a_day_that_was_left_out_has_no_length():
    zone = ZoneInfo("Pacific/Apia")
    start, end = (
        int(datetime(y, m, d, tzinfo=zone).timestamp()) * 1_000_000
        for y, m, d in ((2011, 12, 29), (2012, 1, 1))
    )
    days = [local(at, "Pacific/Apia") for at in cuts(start, end, "day", "Pacific/Apia", 10)]
    assert days == [
        "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00",
    ]  # fmt: skip


def test_half_an_hour_is_an_hour_of_its_own_where_a_clock_is_changed_by_that():
    zone = "Australia/Lord_Howe"
    start = int(datetime(2026, 4, 4, 13, tzinfo=UTC).timestamp()) * 1_000_000  # 00:00 local
    found = [local(at, zone)[11:] for at in cuts(start, start + 16 * QUARTER, "hour", zone, 10)]
    assert found == [
        "00:00:00+11:00", "01:00:00+11:00", "01:30:00+10:30", "02:00:00+10:30", "03:00:00+10:30",
        "03:30:00+10:30",
    ]  # fmt: skip


def test_too_many_are_refused():
    assert len(cuts(0, 10 * DAY, "day", "UTC", 10)) == 11
    with pytest.raises(TooManyIntervals):
        cuts(0, 10 * DAY + QUARTER, "day", "UTC", 10)


def test_a_window_is_widened():
    assert whole_quarters(QUARTER + 1, 2 * QUARTER + 1) == (QUARTER, 3 * QUARTER)
    assert whole_quarters(QUARTER, 2 * QUARTER) == (QUARTER, 2 * QUARTER)
