"""stats: what calls came to, for people and as JSON."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from store.making import record
from trunkline.calls.facts import Party
from trunkline.cli.calls.stats_chart import span
from trunkline.store.ports.database import Batch

from ..office import Office, Run, Told, refused

DAYS = ("--from", "2026-11-16", "--to", "2026-11-18")


def at(text: str) -> int:
    """What the account's clock shows, in Ho Chi Minh City."""
    return int(datetime.fromisoformat(f"{text}+07:00").timestamp()) * 1_000_000


def happened(office: Office, *starts: str, account_id: str | None = None, **values: Any) -> None:
    owner = account_id or office.account.account_id
    records = [
        record(f"{start} {n} {values}", owner, at(start), **values)
        for n, start in enumerate(starts)
    ]
    office.write(lambda db: db.calls.commit(Batch(finished=records)))


@pytest.fixture
def busy(office: Office) -> Office:
    """Two days with calls, and one without between them."""
    happened(office, "2026-11-16T00:00:00", "2026-11-16T09:30:00", "2026-11-18T09:59:59")
    happened(
        office, "2026-11-16T10:00:00", status_detail="BUSY", billing_seconds=0,
        caller=Party("b", username="binh"), trunk="trunk-x",
    )  # fmt: skip
    return office


def table(run: Run, *words: str) -> list[list[str]]:
    """The lines below the table's head, by their columns."""
    result = run("stats", *words)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines), result.stdout
    assert "\x1b" not in result.stdout
    head = next(n for n, line in enumerate(lines) if line.split()[1:5] == [
        "calls", "answered", "talk", "ring",
    ])  # fmt: skip
    return [line.split() for line in lines[head + 1 :]]


def test_days_of_the_accounts_clock(busy: Office, run: Run) -> None:
    rows = table(run, *DAYS)
    assert [row[1:4] for row in rows] == [
        ["2026-11-16", "3", "67"], ["2026-11-17", "0", "-"], ["2026-11-18", "1", "100"],
    ]  # fmt: skip
    full, light = rows[0][-1].count("█"), rows[0][-1].count("░")
    assert full == pytest.approx(2 * light, abs=2)
    assert rows[2][-1] == "█" * round((full + light) / 3)


def test_the_sums_stand_above(busy: Office, run: Run) -> None:
    shown = run("stats", *DAYS).stdout
    assert shown.startswith("acme: 2026-11-16 00:00 to 2026-11-19 00:00, Asia/Ho_Chi_Minh\n")
    assert "4 calls, 4 of them outgoing\n" in shown
    assert "3 answered (75 %), 0 not, 1 busy, 0 cancelled\n" in shown
    assert "18s of talk: 6s on average, 6s at most\n" in shown


def test_hours_are_those_of_all_days_together(busy: Office, run: Run) -> None:
    rows = table(run, *DAYS, "--by", "hour")
    assert [row[:2] for row in rows if row[1] != "0"] == [
        ["00:00", "1"], ["09:00", "2"], ["10:00", "1"],
    ]  # fmt: skip
    assert len(rows) == 11


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("user", [["an", "3"], ["binh", "1"]]),
        ("status", [["SUCCESS", "3"], ["BUSY", "1"]]),
        ("direction", [["from_ab", "4"]]),
        ("trunk", [["trunk-x", "1"]]),
        ("week", [["2026-W47", "16"]]),
        ("month", [["Nov", "2026"]]),
    ],
)
def test_groups_begin_with_the_busiest(
    busy: Office, run: Run, by: str, wanted: list[list[str]]
) -> None:
    assert [row[:2] for row in table(run, *DAYS, "--by", by)] == wanted


def test_a_trunk_has_its_name(busy: Office, run: Run) -> None:
    with sqlite3.connect(busy.file) as connection:
        connection.execute(
            "INSERT INTO trunks (id, account_id, name, host, port, created_at)"
            " VALUES ('x', ?, 'viettel', 'h', 5060, 0)",
            (busy.account.account_id,),
        )
    assert table(run, *DAYS, "--by", "trunk")[0][0] == "viettel"


def test_json_is_the_answer_of_the_api(busy: Office, told: Told) -> None:
    from trunkline.history.statistics import Stats

    found = told("stats", *DAYS, "--by", "user")
    assert msgspec.convert(found, Stats).totals.calls == 4
    assert (found["interval"], found["group_by"], found["timezone"]) == (
        "none", "user", "Asia/Ho_Chi_Minh",
    )  # fmt: skip
    assert {point["key"]: point["calls"] for point in found["series"]} == {"an": 3, "binh": 1}


def test_last_are_whole_days_of_the_clock_and_hours(busy: Office, told: Told) -> None:
    def window(*words: str) -> tuple[str, str]:
        found = told("stats", *words)
        return found["from"], found["to"]

    until = ("--to", "2026-11-18")
    assert window(*until) == ("2026-11-11T17:00:00.000Z", "2026-11-18T17:00:00.000Z")
    assert window(*until, "--last", "1d") == (
        "2026-11-17T17:00:00.000Z", "2026-11-18T17:00:00.000Z",
    )  # fmt: skip
    assert window(*until, "--last", "2w")[0] == "2026-11-04T17:00:00.000Z"
    assert window("--to", "2026-11-18T10:07:00", "--last", "3h") == (
        "2026-11-18T00:00:00.000Z", "2026-11-18T03:15:00.000Z",
    )  # fmt: skip
    now = datetime.fromisoformat(window("--last", "1h")[1])
    assert abs((now - datetime.now(UTC)).total_seconds()) < 1800


def test_no_calls_are_said(office: Office, run: Run) -> None:
    shown = run("stats").stdout
    assert "no calls" in shown
    assert "answered" not in shown


def test_of_several_accounts_one_is_named(busy: Office, run: Run, told: Told) -> None:
    other = busy.add_account("other")
    happened(busy, "2026-11-16T09:00:00", account_id=other.account_id)
    refused(run("stats"), "--account")
    assert told("stats", *DAYS, "--account", "other")["totals"]["calls"] == 1


def test_what_is_not_counted_yet_is_said(busy: Office, run: Run) -> None:
    def marked(at: int) -> str:
        with sqlite3.connect(busy.file) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO call_stats_marks VALUES (?, ?)",
                (busy.account.account_id, at),
            )
        return " ".join(run("stats", *DAYS).stdout.split())

    assert "calls before 2026-11-17 00:00 are missing here" in marked(at("2026-11-17T00:00:00"))
    assert "still to be counted" in marked(1 << 62)
    assert "counted" not in marked(at("2026-11-16T00:00:00"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--account", "nobody"], "see trunkline account list"),
        (["--from", "yesterday"], "Such as 2026-02-07"),
        (["--from", "2023-11-15", "--to", "2023-11-13"], "swap them"),
        (["--last", "7"], "such as 24h, 7d or 4w"),
        (["--last", "7d", "--from", "2026-11-01"], "leave one out"),
        (["--from", "2016-01-01", "--by", "hour"], "take less time"),
    ],
)
def test_stats_says_what_is_wrong(run: Run, words: list[str], says: str) -> None:
    refused(run("stats", *words), says)


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(None, "-"), (0, "0s"), (59.4, "59s"), (59.6, "1:00"), (83, "1:23"), (43_389, "12:03:09")],
)
def test_spans_of_time(seconds: float | None, wanted: str) -> None:
    assert span(seconds) == wanted
