"""The dates of a history query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.api.oapi.parameters import window
from trunkline.history.dates import DateInvalid, moment
from trunkline.work.refused import Refused

HANOI = "Asia/Ho_Chi_Minh"
BERLIN = "Europe/Berlin"
BEIRUT = "Asia/Beirut"
SECOND = 1_000_000
DAY = 86_400 * SECOND
TIMES = st.datetimes(
    min_value=datetime.fromisoformat("1970-01-02"), max_value=datetime.fromisoformat("2199-12-30")
)


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2018-02-07T02:19:33.000Z", HANOI, us("2018-02-07T02:19:33Z")),
        ("2018-02-07T02:19:33.25z", HANOI, us("2018-02-07T02:19:33Z") + 250_000),
        ("2018-02-07T02:19:33,123456789Z", HANOI, us("2018-02-07T02:19:33Z") + 123_456),
        ("2018-02-07T02:19:33+07:00", BERLIN, us("2018-02-07T02:19:33+07:00")),
        ("2018-02-07T02:19:33+0700", BERLIN, us("2018-02-07T02:19:33+07:00")),
        ("2018-02-07T02:19-03", BERLIN, us("2018-02-07T02:19:00-03:00")),
        ("20180207T021933Z", BERLIN, us("2018-02-07T02:19:33Z")),
        ("2018-02-07 02:19:33", HANOI, us("2018-02-07T02:19:33+07:00")),
        ("2018-02-07", HANOI, us("2018-02-07T00:00:00+07:00")),
        ("1517969973", HANOI, us("2018-02-07T02:19:33Z")),
        ("1517969973000", HANOI, us("2018-02-07T02:19:33Z")),
        ("1517969973123", HANOI, us("2018-02-07T02:19:33Z") + 123_000),
        ("0", HANOI, 0),
        # the clocks of Berlin skip from 2 to 3: it means the moment of the change
        ("2018-03-25T02:30:00", BERLIN, us("2018-03-25T03:00:00+02:00")),
        # and have 2 to 3 twice in autumn: the first one counts
        ("2018-10-28T02:30:00", BERLIN, us("2018-10-28T02:30:00+02:00")),
        # the clocks of Beirut skip midnight itself
        ("2018-03-25", BEIRUT, us("2018-03-25T01:00:00+03:00")),
        ("2018-03-25T00:59:59", BEIRUT, us("2018-03-25T01:00:00+03:00")),
    ],
)
def test_a_date_is_read(text: str, zone: str, expected: int) -> None:
    assert moment(text, zone).at == expected


@pytest.mark.parametrize(
    "text",
    [
        "today",
        "2018-02",
        "2018-2-7",
        "2018-02-30",
        "2018-02-07T25:00:00",
        "2018-02-07T24:00:00Z",
        "2018-02-07T10:00:60Z",
        "2018-02-07T10",
        "2018-02-07Z",
        "2018-02-07+07:00",
        "2018-02-07T10:00:00 07:00",
        "2018-02-07T10:00:00+24:00",
        "2018-W06-3",
        "2018-038",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2200-01-01",
        "9999-12-31",
        "9" * 5000,
        "99999999999",
        "-1517969973",
        "1517969973.5",
        "1e9",
        "٢٠١٨-٠٢-٠٧",
        "²",
        " 2018-02-07",
        "2018-02-07\n",
        "\udcff",
    ],
)
def test_what_is_no_date_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(DateInvalid, match=r"^A date .*\.$"):
        moment(text, HANOI)


def test_an_unescaped_plus_is_told() -> None:
    with pytest.raises(DateInvalid, match="%2B"):
        moment("2018-02-07T10:00:00 07:00", HANOI)


def test_a_bare_date_is_that_whole_day() -> None:
    start, end = window("2018-02-07", "2018-02-07", HANOI)
    assert (start, end - start) == (us("2018-02-07T00:00:00+07:00"), DAY)


@pytest.mark.parametrize(
    ("day", "hours"), [("2018-03-25", 23), ("2018-10-28", 25), ("2018-06-01", 24)]
)
def test_a_day_has_its_own_length(day: str, hours: int) -> None:
    start, end = window(day, day, BERLIN)
    assert end - start == hours * 3600 * SECOND


def refusal(created_from: str, created_to: str, zone: str = BERLIN) -> str:
    with pytest.raises(Refused) as caught:
        window(created_from, created_to, zone)
    return caught.value.code


def test_31_days_are_allowed_and_not_a_moment_more() -> None:
    start, end = window("2018-01-01T00:00:00Z", "2018-02-01T00:00:00Z", BERLIN)
    assert end - start == 31 * DAY
    assert refusal("2018-01-01T00:00:00Z", "2018-02-01T00:00:00.001Z") == "RANGE_TOO_LARGE"


def test_31_days_of_the_calendar_are_allowed_though_one_is_longer() -> None:
    start, end = window("2018-10-01", "2018-10-31", BERLIN)
    assert end - start == 31 * DAY + 3600 * SECOND
    assert refusal("2018-10-01", "2018-11-01") == "RANGE_TOO_LARGE"
    sent_exactly = refusal("2018-09-30T22:00:00Z", "2018-10-31T23:00:00Z")
    assert sent_exactly == "RANGE_TOO_LARGE"


def test_to_before_from_is_refused_and_an_empty_range_is_not() -> None:
    assert refusal("2018-02-02T00:00:00Z", "2018-02-01T23:59:59Z") == "RANGE_INVALID"
    same = "2018-02-02T00:00:00Z"
    start, end = window(same, same, BERLIN)
    assert start == end


@given(TIMES, st.integers(-23 * 60, 23 * 60))
def test_any_time_with_an_offset_is_that_time(stamp: datetime, minutes: int) -> None:
    there = stamp.replace(tzinfo=UTC)
    sign = "-" if minutes < 0 else "+"
    local = there + timedelta(minutes=minutes)
    if not 1970 <= local.year <= 2199:
        return
    offset = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    text = local.replace(tzinfo=None).isoformat(timespec="microseconds") + offset
    expected = (there - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert moment(text, HANOI).at == expected


@given(TIMES, st.sampled_from([HANOI, BERLIN, BEIRUT, "UTC", "America/St_Johns"]))
def test_neighbouring_windows_neither_miss_nor_repeat(stamp: datetime, zone: str) -> None:
    """The same text is the same moment as an end and as a start, and days follow each other."""
    text = stamp.isoformat()
    assert moment(text, zone, end=True).at == moment(text, zone).at
    today, tomorrow = stamp.date(), stamp.date() + timedelta(days=1)
    assert moment(str(today), zone, end=True).at == moment(str(tomorrow), zone).at


@given(st.text(max_size=40) | st.from_regex(r"\A[0-9TZ:+. -]{0,40}\Z"), st.booleans())
def test_any_text_is_read_or_refused(text: str, end: bool) -> None:
    try:
        found = moment(text, BERLIN, end=end)
    except DateInvalid:
        return
    assert -2 * DAY < found.at < us("2200-01-03T00:00:00Z")
