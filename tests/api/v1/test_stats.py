"""GET /v1/stats: statistics on the account's clock."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from store.making import record
from trunkline.calls.facts import Party
from trunkline.history.sums import GroupBy
from trunkline.store.ports.database import Batch
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.trunks import create_trunk

from .conftest import Office, problem_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(text: str) -> int:
    """The moment, in unix microseconds."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def zoned(office: Office, zone: str) -> None:
    with sqlite3.connect(office.path) as connection:
        connection.execute("UPDATE accounts SET timezone = ?", (zone,))


async def happened(office: Office, *starts: str, **values: Any) -> None:
    account_id = values.pop("account_id", office.account.account_id)
    records = [
        record(f"{start} {number} {values}", account_id, at(start), **values)
        for number, start in enumerate(starts)
    ]
    await office.db.calls.commit(Batch(finished=records))


async def asked(client: httpx.AsyncClient, **query: Any) -> Any:
    query = {"from": query.pop("from_"), **query} if "from_" in query else query
    answer = await client.get("/v1/stats", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def counts(stats: Any) -> list[tuple[str, int]]:
    return [(point["local_start"], point["calls"]) for point in stats["series"]]


async def test_what_calls_come_to(office: Office, client: httpx.AsyncClient) -> None:
    day = "2026-11-20T10:00:00Z"
    await happened(office, day, day, billing_seconds=90, ringing_seconds=4, duration_seconds=95)
    await happened(
        office, day, status_detail="BUSY", billing_seconds=0, ringing_seconds=0, duration_seconds=2,
        direction="to_ab", did_number="+842873019555",
    )  # fmt: skip
    stats = await asked(client, from_="2026-11-20", to="2026-11-20")
    wanted = {
        "calls": 3, "outgoing": 2, "answered": 2, "busy": 1, "unanswered": 0, "cancelled": 0,
        "ivr": 0, "answer_rate": 0.6667, "talk_seconds": 180, "average_talk_seconds": 90.0,
        "longest_talk_seconds": 90, "ring_seconds": 8, "average_ring_seconds": 4.0,
        "duration_seconds": 192,
    }  # fmt: skip
    assert stats["totals"] == wanted
    [point] = stats["series"]
    assert point == {
        **wanted, "start": "2026-11-20T00:00:00.000Z", "end": "2026-11-21T00:00:00.000Z",
        "local_start": "2026-11-20T00:00:00+00:00", "key": None, "name": None,
    }  # fmt: skip
    del stats["series"], stats["totals"]
    assert stats == {
        "from": "2026-11-20T00:00:00.000Z", "to": "2026-11-21T00:00:00.000Z", "timezone": "UTC",
        "interval": "day", "group_by": "none", "complete": True, "counted_from": None,
    }  # fmt: skip


async def test_nothing_averages_to_null(client: httpx.AsyncClient) -> None:
    totals = (await asked(client))["totals"]
    assert (totals["calls"], totals["answer_rate"], totals["average_talk_seconds"]) == (
        0,
        None,
        None,
    )


async def test_without_a_window_it_is_the_last_30_days(
    office: Office, client: httpx.AsyncClient
) -> None:
    stats = await asked(client, interval="none")
    [point] = stats["series"]
    assert (point["start"], point["end"]) == (stats["from"], stats["to"])
    length = at(stats["to"]) - at(stats["from"])
    assert 30 * 86_400_000_000 <= length <= 30 * 86_400_000_000 + 900_000_000


@pytest.mark.parametrize(
    ("group", "wanted"),
    [
        ("user", {"an": (2, 1), "binh": (2, 1)}),
        ("did", {"+8428": (1, 0)}),
        ("trunk", {"trunk-gone": (2, 1)}),
        ("class", {"one_one": (1, 1), "trunking": (2, 1)}),
        ("direction", {"from_ab": (2, 2), "to_ab": (1, 0)}),
        ("status", {"SUCCESS": (2, 1), "BUSY": (1, 1)}),
    ],
)
async def test_groups(
    office: Office, client: httpx.AsyncClient, group: str, wanted: dict[str, tuple[int, int]]
) -> None:
    start = "2026-11-20T10:00:00Z"
    an, binh, far = Party("an1", username="an"), Party("b1", username="binh"), Party("0287")
    await happened(office, start, caller=an, callee=binh, class_="one_one", status_detail="BUSY")
    await happened(
        office, start, caller=far, callee=an, direction="to_ab", did_number="+8428",
        trunk="trunk-gone",
    )  # fmt: skip
    await happened(office, start, caller=binh, callee=far, trunk="trunk-gone")
    stats = await asked(
        client, from_="2026-11-20", to="2026-11-20", group_by=group, interval="none"
    )
    found = {point["key"]: (point["calls"], point["outgoing"]) for point in stats["series"]}
    assert found == wanted
    assert stats["totals"]["calls"] == 3


async def test_a_trunk_is_shown_with_its_name(office: Office, client: httpx.AsyncClient) -> None:
    made = office.change(lambda d: create_trunk(d, office.account, "viettel", "10.0.0.1"))
    endpoint = f"trunk-{made.trunk_id}"
    await happened(office, "2026-11-20T10:00:00Z", trunk=endpoint)
    stats = await asked(client, from_="2026-11-20", to="2026-11-20", group_by="trunk")
    assert [(point["key"], point["name"]) for point in stats["series"]] == [(endpoint, "viettel")]


async def test_only_ones_own_calls_are_counted(office: Office, client: httpx.AsyncClient) -> None:
    other = office.change(lambda d: create_account(d, "other"))
    await happened(office, "2026-11-20T10:00:00Z", account_id=other.account_id)
    assert (await asked(client, from_="2026-11-20", to="2026-11-20"))["totals"]["calls"] == 0


# ---- Clocks ----


async def test_days_of_a_clock_that_is_off_by_three_quarters(
    office: Office, client: httpx.AsyncClient
) -> None:
    zoned(office, "Asia/Kathmandu")  # +05:45
    edge = ("2026-11-19T18:14:59Z", "2026-11-19T18:15:00Z", "2026-11-20T18:14:59Z")
    await happened(office, *edge)
    days = await asked(client, from_="2026-11-19", to="2026-11-20")
    assert counts(days) == [("2026-11-19T00:00:00+05:45", 1), ("2026-11-20T00:00:00+05:45", 2)]
    hours = await asked(client, from_="2026-11-20", to="2026-11-20", interval="hour")
    assert len(hours["series"]) == 24
    busy = [point for point in counts(hours) if point[1]]
    assert busy == [("2026-11-20T00:00:00+05:45", 1), ("2026-11-20T23:00:00+05:45", 1)]
    assert hours["series"][1]["start"] == "2026-11-19T19:15:00.000Z"


async def test_the_day_of_25_hours(office: Office, client: httpx.AsyncClient) -> None:
    zoned(office, "America/New_York")
    await happened(office, "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T04:59:00Z")
    days = await asked(client, from_="2026-10-31", to="2026-11-02")
    assert counts(days) == [
        ("2026-10-31T00:00:00-04:00", 0),
        ("2026-11-01T00:00:00-04:00", 3),
        ("2026-11-02T00:00:00-05:00", 0),
    ]
    hours = await asked(client, from_="2026-11-01", to="2026-11-01", interval="hour")
    assert len(hours["series"]) == 25
    assert [point for point in counts(hours) if point[1]] == [
        ("2026-11-01T01:00:00-04:00", 1),
        ("2026-11-01T01:00:00-05:00", 1),
        ("2026-11-01T23:00:00-05:00", 1),
    ]


async def test_the_day_of_23_hours(office: Office, client: httpx.AsyncClient) -> None:
    zoned(office, "America/New_York")
    await happened(office, "2026-03-08T06:59:00Z", "2026-03-08T07:00:00Z")
    hours = await asked(client, from_="2026-03-08", to="2026-03-08", interval="hour")
    assert len(hours["series"]) == 23
    assert counts(hours)[1:3] == [
        ("2026-03-08T01:00:00-05:00", 1),
        ("2026-03-08T03:00:00-04:00", 1),
    ]


async def test_weeks_begin_on_monday_and_months_on_the_first(client: httpx.AsyncClient) -> None:
    weeks = await asked(client, from_="2026-11-12", to="2026-11-23", interval="week")
    assert [local[:10] for local, _ in counts(weeks)] == ["2026-11-12", "2026-11-16", "2026-11-23"]
    months = await asked(client, from_="2025-12-31", to="2026-03-01", interval="month")
    assert [local[:10] for local, _ in counts(months)] == [
        "2025-12-31", "2026-01-01", "2026-02-01", "2026-03-01",
    ]  # fmt: skip


async def test_a_window_is_widened_to_quarters(client: httpx.AsyncClient) -> None:
    stats = await asked(client, from_="2026-11-20T10:07:00Z", to="2026-11-20T11:00:00.001Z")
    assert (stats["from"], stats["to"]) == ("2026-11-20T10:00:00.000Z", "2026-11-20T11:15:00.000Z")


# ---- What cannot be ----


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"from": "yesterday"}, "parameters_invalid"),
        ({"to": ""}, "parameters_invalid"),
        ({"from": "2026-11-20", "to": "2026-11-18"}, "parameters_invalid"),
        ({"interval": "year"}, "parameters_invalid"),
        ({"group_by": "device"}, "parameters_invalid"),
        ({"from_": "2026-11-20"}, "parameters_invalid"),
        ({"from": "2026-01-01", "to": "2026-03-01", "interval": "hour"}, "stats_too_large"),
        ({"from": "2010-01-01", "to": "2026-03-01", "interval": "month"}, "stats_too_large"),
    ],
)
async def test_what_cannot_be_asked(
    client: httpx.AsyncClient, query: dict[str, str], code: str
) -> None:
    assert problem_of(await client.get("/v1/stats", params=query)) == (400, code)


async def test_too_many_keys_are_refused(
    office: Office, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trunkline.api.v1 import stats

    monkeypatch.setattr(stats, "MOST_POINTS", 1)
    for name in ("an", "binh"):
        await happened(office, "2026-11-20T10:00:00Z", caller=Party("x", username=name))
    query = {"from": "2026-11-20", "to": "2026-11-20", "group_by": "user"}
    answer = await client.get("/v1/stats", params=query)
    assert problem_of(answer) == (400, "stats_too_large")


async def test_calls_read_is_needed(office: Office) -> None:
    async with office.client(office.key("events:read")) as client:
        assert problem_of(await client.get("/v1/stats")) == (403, "scope_missing")


async def test_what_is_not_counted_yet_is_said(office: Office, client: httpx.AsyncClient) -> None:
    starts = [f"2026-11-{day}T10:00:00Z" for day in (10, 12, 14)]
    await happened(office, *starts)
    with sqlite3.connect(office.path) as connection:
        connection.execute("DELETE FROM call_stats")
        connection.execute(
            "INSERT INTO call_stats_marks VALUES (?, ?)", (office.account.account_id, 1 << 62)
        )
    window = {"from_": "2026-11-01", "to": "2026-11-20"}
    none = await asked(client, **window)
    assert (none["complete"], none["counted_from"], none["totals"]["calls"]) == (False, None, 0)
    await office.db.statistics.count_older(2)
    some = await asked(client, **window)
    assert (some["complete"], some["totals"]["calls"]) == (False, 2)
    assert some["counted_from"] == "2026-11-12T10:00:00.000Z"
    assert (await asked(client, from_="2026-11-13", to="2026-11-20"))["complete"] is True
    await office.db.statistics.count_older(2)
    done = await asked(client, **window)
    assert (done["complete"], done["counted_from"], done["totals"]["calls"]) == (True, None, 3)


def test_the_guide_is_right() -> None:
    from trunkline.api.v1 import stats
    from trunkline.history import statistics

    guide = (Path(__file__).parents[3] / "docs/guides/statistics.md").read_text()
    for shape in (statistics.Stats, statistics.Point, stats.StatsQuery):
        for key in shape.__struct_encode_fields__:
            assert f"`{key}`" in guide or f'"{key}"' in guide, key
    for group in get_args(GroupBy):
        assert f"`{group}`" in guide
    assert (
        f"{statistics.MOST_INTERVALS:,} intervals, {statistics.MOST_POINTS:,} points and" in guide
    )
    assert f"{statistics.MOST_YEARS} years" in guide
    assert f"the last {stats.DEFAULT_DAYS} days" in guide
