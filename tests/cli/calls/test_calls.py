"""calls and history: what they tell of a database that a server may be writing to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from trunkline.calls import facts as f
from trunkline.calls.outcome import record
from trunkline.cli import app
from trunkline.cli.calls import show
from trunkline.store.ports.database import Batch
from trunkline.store.sqlite import SqliteDatabase

from ..office import AT, CALL, SECOND, Office, Run, refused


def test_history_gives_the_records_of_the_open_api(office: Office, told: Any) -> None:
    office.click()
    office.talk_and_end()

    [row] = told("history", "--account", "acme", "--from", "2023-11-14", "--to", "2023-11-15")

    assert (row["call_id"], row["status_detail"], row["billing_seconds"]) == (CALL, "SUCCESS", 6)
    assert set(row) == {
        "caller", "callee", "class", "did_number", "direction", "status_detail", "duration_seconds",
        "unix_timestamp", "billing_seconds", "recording", "call_id",
    }  # fmt: skip


def test_history_has_the_clients_reference_where_it_gave_one(office: Office, told: Any) -> None:
    office.click(client_ref="order-7")
    office.talk_and_end()

    [row] = told("history", "--account", "acme", "--from", "2023-11-14", "--to", "2023-11-15")

    assert (list(row)[-2:], row["clientRef"]) == (["call_id", "clientRef"], "order-7")


def test_an_export_holds_every_call(office: Office, run: Run, tmp_path: Path) -> None:
    office.click()
    office.talk_and_end()
    export = ("calls", "export", "--account", "acme")
    for name, lines in (("calls.csv", 2), ("calls.jsonl", 1)):
        file = tmp_path / name
        done = run(*export, str(file), "--from", "2023-11-14")
        assert (done.exit_code, done.stderr) == (0, "1 call\n")
        assert CALL in file.read_text()
        assert len(file.read_text().splitlines()) == lines
    refused(run(*export, str(tmp_path / "calls.csv")), "File exists")
    refused(run(*export, str(tmp_path / "calls.doc")), "--format")
    wrong = ("--from", "2023-11-15", "--to", "2023-11-13")
    refused(run(*export, str(tmp_path / "none.csv"), *wrong), "--to is before")
    assert not (tmp_path / "none.csv").exists()
    none = run(*export, "-", "--format", "jsonl", "--to", "2023-11-13")
    assert (none.exit_code, none.stdout) == (0, "")


def test_history_reads_dates_in_the_accounts_time_zone(office: Office, told: Any) -> None:
    office.click()  # 22:13 UTC, the next day at 05:13 in Ho Chi Minh City
    office.talk_and_end()

    on = [len(told("history", "--account", "acme", "--from", day, "--to", day))
          for day in ("2023-11-14", "2023-11-15")]  # fmt: skip
    assert on == [0, 1]


def test_history_pages_and_says_where_it_is(office: Office, run: Run) -> None:
    def add(db: SqliteDatabase) -> Any:
        rows = [msgspec.structs.replace(one, call_id=f"call-{n}", started_at=AT + n, recording="")
                for n in range(5)]  # fmt: skip
        return db.calls.commit(Batch(finished=rows))

    office.click()
    office.talk_and_end()
    one = record(office.call)
    office.write(add)
    dates = ("--account", office.account.account_id, "--from", "2023-11-01", "--to", "2023-11-30")

    first = run("history", *dates, "--limit", "4", "--json")
    second = run("history", *dates, "--limit", "4", "--page", "2", "--json")
    third = run("history", *dates, "--limit", "4", "--page", "3", "--json")

    assert [len(json.loads(r.stdout)) for r in (first, second, third)] == [4, 2, 0]
    assert first.stderr == "1 to 4 of 6; --page 2 has more\n"
    assert second.stderr == "5 to 6 of 6\n"
    assert third.stderr == "none of 6 on this page\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--account", "nobody"], "see trunkline account list"),
        (["--account", "acme", "--from", "yesterday"], "Such as 2026-02-07"),
        (["--account", "acme", "--from", "2023-11-15", "--to", "2023-11-13"], "swap them"),
    ],
)
def test_history_says_what_is_wrong(run: Run, words: list[str], says: str) -> None:
    refused(run("history", *words), says)


@pytest.mark.parametrize(
    "words",
    [("history", "--account", "acme"), ("calls", "list"), ("calls", "tail"), ("recording", "list")],
)
def test_looking_makes_no_database(tmp_path: Path, words: tuple[str, ...]) -> None:
    nowhere = tmp_path / "nowhere"

    refused(CliRunner().invoke(app, ["--data", str(nowhere), *words]), "there is no database in")

    assert not nowhere.exists()


def test_a_database_of_another_schema_is_refused(office: Office, run: Run) -> None:
    import sqlite3

    with sqlite3.connect(office.file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    refused(run("calls", "list"), "of a newer Trunkline")


def test_what_is_no_database_is_refused(office: Office, run: Run) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{office.file}{end}").unlink(missing_ok=True)
    office.file.write_text("hello, this is no database at all" * 100)

    refused(run("calls", "list"), "cannot be read")


# ---- calls list and show ------------------------------------------------------------------------


def test_a_live_call_is_listed_with_its_state(office: Office, told: Any) -> None:
    office.click()
    [ringing] = told("calls", "list")
    assert (ringing["callId"], ringing["state"], ringing["caller"]) == (CALL, "ringing", "an")
    assert ringing["callee"] == "0901234567"

    office.talk_and_end()
    assert told("calls", "list", "--account", "acme") == []


def test_calls_of_another_account_are_not_listed(office: Office, told: Any) -> None:
    office.add_account("other")
    office.click()

    assert told("calls", "list", "--account", "other") == []
    assert len(told("calls", "list", "--account", "acme")) == 1


def test_a_call_is_shown_with_its_legs_and_events(office: Office, told: Any, run: Run) -> None:
    office.say("DEVICE_ONLINE")
    office.click()
    office.say("DEVICE_OFFLINE")
    office.talk_and_end()

    call = told("calls", "show", CALL)

    assert (call["state"], call["statusDetail"], call["hangupCause"]) == (
        "ended", "SUCCESS", "NORMAL_CLEARING",
    )  # fmt: skip
    assert [leg["legId"] for leg in call["legs"]] == [CALL, "tl1-1.2"]
    names = [event["Event-Name"] for event in call["events"]]
    assert (names[0], names[-1]) == ("CHANNEL_CREATE", "CALL_ENDED")
    assert len(names) == 10
    shown = run("calls", "show", CALL).stdout
    assert "2023-11-15 05:13:20" in shown
    assert "CALL_ENDED" in shown


def test_why_a_call_was_refused_is_shown() -> None:
    body = {"Event-Seq": 17, "Msg-ID": str(AT), "Event-Name": "CALL_REFUSED", "Call-ID": CALL}
    assert show._event(body | {"Reason": "DEVICE_CALLS"}, "UTC")["cause"] == "DEVICE_CALLS"


def test_a_call_is_shown_with_its_path_and_its_trunks_name(
    office: Office, told: Any, run: Run
) -> None:
    run("trunk", "create", "near", "--account", "acme", "--host", "192.0.2.9")
    [trunk] = told("trunk", "list", "--account", "acme")
    office.click()
    late, leg = AT + SECOND, {"call_id": CALL, "leg_id": CALL}
    office.happen(
        f.StepEntered(
            **leg, at=late, step_id="u" * 32, kind="user", party=f.Party("b", username="binh")
        ),
        f.StepLeft(**leg, at=late + SECOND, step_id="u" * 32, result="busy"),
        f.StepEntered(
            **leg, at=late + SECOND, step_id="", kind="outside", party=f.Party("0901234567")
        ),
        office.started("tl1-1.2", f"trunk-{trunk['trunkId']}", "trunk", 2),
    )

    call = told("calls", "show", CALL)

    assert [(step["kind"], step["party"], step["result"]) for step in call["path"]] == [
        ("user", "binh", "busy"),
        ("outside", "0901234567", None),
    ]
    shown = run("calls", "show", CALL).stdout
    assert ["user", "binh", "05:13:21", "05:13:22", "busy"] in [*map(str.split, shown.splitlines())]
    assert "near" in shown
    assert f"trunk-{trunk['trunkId']}" not in shown


def test_a_live_call_is_shown_as_far_as_it_is(office: Office, told: Any) -> None:
    office.click()

    call = told("calls", "show", CALL)

    assert (call["state"], call["callee"]) == ("ringing", "0901234567")
    assert [event["Event-Name"] for event in call["events"]] == [
        "CHANNEL_CREATE",
        "CHANNEL_PROGRESS",
    ]


def test_an_unknown_call_is_refused(run: Run) -> None:
    refused(run("calls", "show", "nothing"), "there is no call 'nothing'")


# ---- calls tail ---------------------------------------------------------------------------------


def lines(result: Result) -> list[Any]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_tail_goes_on_after_a_number(office: Office, run: Run) -> None:
    office.say("DEVICE_ONLINE", "DEVICE_OFFLINE", "DEVICE_ONLINE")

    told = lines(run("calls", "tail", "--account", "acme", "--after", "1", "--once", "--json"))

    assert [event["Event-Seq"] for event in told] == [2, 3]


def test_tail_says_which_events_are_kept_no_more(office: Office, run: Run) -> None:
    import sqlite3

    office.say(*["DEVICE_ONLINE"] * 5)
    with sqlite3.connect(office.file) as connection:
        connection.execute("DELETE FROM events WHERE seq <= 3")
        connection.execute("UPDATE accounts SET events_from = 4")

    words = ("calls", "tail", "--account", "acme", "--after", "1", "--once")
    told = lines(run(*words, "--json"))

    assert told[0] == {"Event-Name": "GAP", "from": 2, "to": 3}
    assert [event["Event-Seq"] for event in told[1:]] == [4, 5]
    assert "events 2 to 3 are not kept any more" in run(*words).stdout


def test_tail_reads_many_events(office: Office, run: Run) -> None:
    office.say(*["DEVICE_ONLINE", "DEVICE_OFFLINE"] * 700)

    told = lines(run("calls", "tail", "--account", "acme", "--after", "0", "--once", "--json"))

    assert [event["Event-Seq"] for event in told] == list(range(1, 1401))


def test_a_number_needs_its_account(run: Run) -> None:
    refused(run("calls", "tail", "--after", "3"), "--after needs --account")


def test_tail_for_people_says_who_and_why(office: Office, run: Run) -> None:
    office.click()
    office.talk_and_end()

    shown = run("calls", "tail", "--account", "acme", "--after", "0", "--once").stdout

    [ended] = [line for line in shown.splitlines() if "CALL_ENDED" in line]
    assert ended.split() == [
        "10", "05:13:29.000", CALL, "CALL_ENDED", "an", "->", "0901234567", "SUCCESS", "9", "s",
        "NORMAL_CLEARING",
    ]  # fmt: skip


@pytest.fixture
def tailing(office: Office) -> Iterator[subprocess.Popen[str]]:
    """`calls tail` in a process of its own, after what was there when it began."""
    program = (sys.executable, "-c", "from trunkline.cli import main; main()")
    words = ("--data", str(office.data), "calls", "tail", "--json", "--account", "acme")
    process = subprocess.Popen(
        [*program, *words, "--after", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


def test_tail_follows_what_another_process_writes(
    office: Office, tailing: subprocess.Popen[str]
) -> None:
    assert tailing.stdout
    seen = []
    for name in ("DEVICE_ONLINE", "DEVICE_OFFLINE", "DEVICE_ONLINE"):
        office.say(name)
        seen.append(json.loads(tailing.stdout.readline())["Event-Seq"])
    tailing.send_signal(2)

    assert seen == [1, 2, 3]
    assert tailing.wait(20) == 0
