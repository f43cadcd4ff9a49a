"""Rows of the nights in which a clock is changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.calls.times import readings

from .reading import Read

BERLIN = ZoneInfo("Europe/Berlin")
ASTERISK = (
    '"","101","102","internal","",'
    '"PJSIP/101-00000001","PJSIP/102-00000002","Dial","","{start}","","{end}",{lasted},{lasted},'
    '"ANSWERED","DOCUMENTATION","1.1",""\n'
)
FUSIONPBX = (
    "start_stamp,end_stamp,duration,billsec,destination_number,caller_id_number,hangup_cause\n"
    "{start},{end},{lasted},{lasted},102,101,NORMAL_CLEARING\n"
)
WAZO = (
    "start,answer,end,duration,call_direction,source_extension,destination_extension\n"
    "{start},{start},{end},{lasted},internal,101,102\n"
)
FORMATS = {"asterisk": ASTERISK, "fusionpbx": FUSIONPBX, "wazo": WAZO}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def read(
    form: str, start: str, end: str, lasted: int, zone: ZoneInfo = BERLIN
) -> tuple[int, int, int]:
    row = FORMATS[form].format(start=start, end=end, lasted=lasted)
    (record,) = Read(row.encode(), zone=zone).records
    return record.started_at // 1_000_000, record.duration_seconds, record.billing_seconds


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("start", "end", "lasted", "began"),
    [
        ("2025-10-26 02:58:00", "2025-10-26 02:03:00", 300, "2025-10-26T00:58:00Z"),
        ("2025-10-26 01:58:00", "2025-10-26 02:03:00", 300, "2025-10-25T23:58:00Z"),
        ("2025-10-26 01:58:00", "2025-10-26 02:03:00", 3900, "2025-10-25T23:58:00Z"),
        ("2025-10-26 02:58:00", "2025-10-26 03:03:00", 300, "2025-10-26T01:58:00Z"),
        ("2025-10-26 02:10:00", "2025-10-26 02:15:00", 300, "2025-10-26T00:10:00Z"),
        ("2025-10-26 02:10:00", "2025-10-26 02:15:00", 3900, "2025-10-26T00:10:00Z"),
        # no clock of Berlin showed these: what it lasted is left
        ("2025-03-30 01:58:00", "2025-03-30 02:03:00", 300, "2025-03-30T00:58:00Z"),
        ("2025-03-30 02:10:00", "2025-03-30 02:15:00", 300, "2025-03-30T01:00:00Z"),
        ("2025-03-30 01:58:00", "2025-03-30 03:03:00", 300, "2025-03-30T00:58:00Z"),
    ],
)
def test_how_long_a_call_lasted_tells_which_hour_is_meant(
    form: str, start: str, end: str, lasted: int, began: str
) -> None:
    assert read(form, start, end, lasted) == (at(began), lasted, lasted)


def test_without_a_duration_the_first_that_can_be_is_meant() -> None:
    row = WAZO.format(start="2025-10-26 02:58:00", end="2025-10-26 02:03:00", lasted="")
    (record,) = Read(row.encode(), zone=BERLIN).records

    assert record.started_at // 1_000_000 == at("2025-10-26T00:58:00Z")
    assert (record.duration_seconds, record.billing_seconds) == (300, 300)


def test_an_end_before_its_start_in_any_reading_is_skipped() -> None:
    row = ASTERISK.format(start="2025-10-26 02:58:00", end="2025-10-26 01:58:00", lasted=300)

    assert [skip.reason for _, skip in Read(row.encode(), zone=BERLIN).skipped] == [
        "duration_implausible"
    ]


@given(
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/New_York"]),
    began=st.integers(at("2025-01-01"), at("2027-01-01")),
    lasted=st.integers(1, 7200),
)
def test_any_call_is_as_long_as_it_was_and_begins_when_its_clock_said(
    zone: str, began: int, lasted: int
) -> None:
    clock = ZoneInfo(zone)
    shown = [
        datetime.fromtimestamp(moment, clock).replace(tzinfo=None)
        for moment in (began, began + lasted)
    ]

    start, duration, billed = read("asterisk", str(shown[0]), str(shown[1]), lasted, clock)

    assert start * 1_000_000 in readings(shown[0], clock)
    assert (duration, billed) == (lasted, lasted)
    if len(readings(shown[0], clock)) == 1 or len(readings(shown[1], clock)) == 1:
        assert start == began
    else:
        assert start in (began, began - timedelta(hours=1).seconds, began - 1800)
