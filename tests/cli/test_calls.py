"""calls, history and recording: what they tell of a database that a server may be writing to."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from trunkline.calls import facts as f
from trunkline.calls.announce import Place, announce
from trunkline.calls.fold import fold
from trunkline.calls.outcome import record
from trunkline.calls.record import Announcement
from trunkline.cli import app
from trunkline.db.directory import AccountEntry, DirectoryFile
from trunkline.db.port import Batch
from trunkline.db.secrets import open_key
from trunkline.db.sqlite import SqliteDatabase, open_database
from trunkline.recordings.disk import DiskStore
from trunkline.work import manage_directory as manage

AT = 1_700_000_000_000_000
SECOND = 1_000_000
CALL = "c" * 32
NAME = f"call_recording_{CALL}.mp3"
Run = Callable[..., Result]


class Office:
    """An account whose calls are written as a server would write them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.file = data / "trunkline.db"
        self.key = open_key(data / "secret.key")
        self.account = self.add_account("acme")
        self.call: Any = None

    def add_account(self, name: str) -> AccountEntry:
        with DirectoryFile(self.file, self.key).transaction() as directory:
            return manage.create_account(directory, name, timezone="Asia/Ho_Chi_Minh")

    def write(self, work: Callable[[SqliteDatabase], Any]) -> None:
        async def write() -> None:
            db = open_database(self.file, self.key)
            try:
                await work(db)
            finally:
                await db.close()

        asyncio.run(write())

    def say(self, *names: str, account: AccountEntry | None = None) -> None:
        owner = (account or self.account).account_id
        body = {"Device": "an1", "Msg-ID": str(AT)}
        said = [
            Announcement(owner, "device", name, "an1", AT, {"Event-Name": name, **body})
            for name in names
        ]
        self.write(lambda db: db.events.append(said))

    def happen(self, *happened: f.AnyFact) -> None:
        """Fold the facts, and commit what comes of them."""
        batch = Batch(facts=list(happened))
        for fact in happened:
            folded = fold(self.call, fact)
            assert folded.call is not None
            if self.call is None:
                batch.opened.append((fact.call_id, folded.call.account_id, fact.at))
            self.call = folded.call
            place = Place("trunkline", "tl1")
            batch.announcements += [
                announce(self.call, heard, place, heard.at) for heard in folded.heard
            ]
        if self.call.over:
            batch.closed, batch.finished = [self.call.id], [record(self.call)]
        self.write(lambda db: db.calls.commit(batch))

    def click(self, call_id: str = CALL) -> None:
        """An agent has been asked for, and rings."""
        self.happen(
            f.CallRequested(
                call_id=call_id, at=AT, account_id=self.account.account_id, app_id="a" * 32,
                caller=f.Party("an1", username="an"), callee=f.Party("0901234567"),
                class_="trunking", dialled="0901234567", recording=call_id,
            ),
            self.started(call_id, "an1", "device", 0),
            f.LegRinging(call_id=call_id, at=AT + 1, leg_id=call_id),
        )  # fmt: skip

    def started(self, leg_id: str, endpoint: str, kind: Any, after: int) -> f.LegStarted:
        return f.LegStarted(
            call_id=self.call.id if self.call else CALL, at=AT + after * SECOND, leg_id=leg_id,
            account_id=self.account.account_id, direction="outbound", endpoint=endpoint,
            endpoint_kind=kind, party=f.Party("an1", username="an") if kind == "device" else None,
        )  # fmt: skip

    def talk_and_end(self) -> None:
        legs = (CALL, "tl1-1.2")
        self.happen(
            f.LegAnswered(call_id=CALL, at=AT + SECOND, leg_id=CALL),
            self.started(legs[1], "trunk-1", "trunk", 1),
            *(f.LegAnswered(call_id=CALL, at=AT + 3 * SECOND, leg_id=leg) for leg in legs[1:]),
            *(f.LegJoined(call_id=CALL, at=AT + 3 * SECOND, leg_id=leg, bridge_id="b") for leg in legs),
            *(
                fact
                for leg in legs
                for fact in (
                    f.LegLeft(call_id=CALL, at=AT + 9 * SECOND, leg_id=leg, bridge_id="b"),
                    f.LegHungUp(call_id=CALL, at=AT + 9 * SECOND, leg_id=leg, cause=16),
                    f.LegEnded(call_id=CALL, at=AT + 9 * SECOND, leg_id=leg),
                )
            ),
        )  # fmt: skip


@pytest.fixture
def office(tmp_path: Path) -> Office:
    (tmp_path / "data").mkdir()
    return Office(tmp_path / "data")


@pytest.fixture
def run(office: Office) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, ["--data", str(office.data), *words])

    return invoke


@pytest.fixture
def told(run: Run) -> Callable[..., Any]:
    """Run a command that must work, and read its JSON."""

    def invoke(*words: str) -> Any:
        result = run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return invoke


def refused(result: Result, says: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


# ---- history ------------------------------------------------------------------------------------


def test_history_gives_the_records_of_the_open_api(office: Office, told: Any) -> None:
    office.click()
    office.talk_and_end()

    [row] = told("history", "--account", "acme", "--from", "2023-11-14", "--to", "2023-11-15")

    assert (row["call_id"], row["status_detail"], row["billing_seconds"]) == (CALL, "SUCCESS", 6)
    assert set(row) == {
        "caller", "callee", "class", "did_number", "direction", "status_detail", "duration_seconds",
        "unix_timestamp", "billing_seconds", "recording", "call_id",
    }  # fmt: skip


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
        "over", "SUCCESS", "NORMAL_CLEARING",
    )  # fmt: skip
    assert [leg["legId"] for leg in call["legs"]] == [CALL, "tl1-1.2"]
    names = [event["Event-Name"] for event in call["events"]]
    assert (names[0], names[-1]) == ("CHANNEL_CREATE", "CALL_ENDED")
    assert len(names) == 10
    shown = run("calls", "show", CALL).stdout
    assert "2023-11-15 05:13:20" in shown
    assert "CALL_ENDED" in shown


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
        "05:13:29.000", CALL, "CALL_ENDED", "an", "->", "0901234567", "SUCCESS", "9", "s",
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


# ---- recording ----------------------------------------------------------------------------------


@pytest.fixture
def recorded(office: Office) -> Office:
    """A call whose recording is done: 1000 bytes."""
    office.click()
    office.talk_and_end()
    mp3 = office.data / "x.mp3"
    mp3.write_bytes(b"m" * 1000)
    said = Announcement(office.account.account_id, "call", "RECORDING_READY", CALL, AT, {})

    async def make(db: SqliteDatabase) -> None:
        await DiskStore(office.data / "recordings").put(NAME, mp3)
        await db.recordings.claim(NAME, "w", AT, AT + 1)
        await db.recordings.done(NAME, "w", 1000, 6.0, said)

    office.write(make)
    return office


@pytest.mark.parametrize("wanted", [CALL, NAME])
def test_a_recording_is_written_to_a_file(
    recorded: Office, told: Any, tmp_path: Path, wanted: str
) -> None:
    file = tmp_path / "out.mp3"

    assert told("recording", "get", wanted, "-o", str(file)) == {
        "file": str(file), "bytes": 1000, "callId": CALL,
    }  # fmt: skip
    assert file.read_bytes() == b"m" * 1000
    assert not list(tmp_path.glob(".*"))


def test_a_folder_gets_the_recording_under_its_name(
    recorded: Office, told: Any, tmp_path: Path
) -> None:
    told("recording", "get", CALL, "-o", str(tmp_path))

    assert (tmp_path / NAME).stat().st_size == 1000


def test_a_file_is_only_replaced_by_force(recorded: Office, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.mp3"
    file.write_text("mine")

    refused(run("recording", "get", CALL, "-o", str(file)), "--force")
    assert file.read_text() == "mine"

    assert run("recording", "get", CALL, "-o", str(file), "--force").exit_code == 0
    assert file.stat().st_size == 1000


def test_a_recording_goes_to_standard_output(recorded: Office, run: Run) -> None:
    assert run("recording", "get", CALL, "-o", "-").stdout_bytes == b"m" * 1000


def test_recordings_are_listed(recorded: Office, told: Any) -> None:
    [row] = told("recording", "list")

    assert (row["name"], row["state"], row["bytes"], row["callId"]) == (NAME, "done", 1000, CALL)


def test_a_recording_that_is_being_made_is_not_given(office: Office, run: Run) -> None:
    office.click()
    office.talk_and_end()

    refused(run("recording", "get", CALL), "is still being made")


def test_a_lost_or_unknown_recording_is_refused(recorded: Office, run: Run, tmp_path: Path) -> None:
    refused(run("recording", "get", "nothing"), "there is no recording of 'nothing'")

    (recorded.data / "recordings" / NAME).unlink()
    refused(run("recording", "get", CALL, "-o", str(tmp_path / "o")), "put it back from a backup")
    assert not (tmp_path / "o").exists()
    assert not list(tmp_path.glob(".*"))


# ---- how fast -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["version"], ["--help"], ["calls", "--help"], ["account", "--help"]]
)
def test_help_and_version_import_no_library_of_the_server(words: list[str]) -> None:
    code = (
        "import sys\nfrom trunkline.cli import app\n"
        f"try: app({words!r})\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'litestar', 'uvicorn', 'httpx', 'cryptography', 'obstore'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [["calls", "list"], ["history", "--account", "acme"]])
def test_looking_does_without_the_tools_of_changing(office: Office, words: list[str]) -> None:
    code = (
        "import sys\nfrom trunkline.cli import app\n"
        f"try: app(['--data', {str(office.data)!r}, *{words!r}])\nexcept SystemExit: pass\n"
        "print(sorted({'sqlalchemy', 'alembic', 'litestar', 'httpx', 'obstore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_managing_imports_no_migrations_once_the_schema_is_there(office: Office) -> None:
    code = (
        "import sys\nfrom trunkline.cli import app\n"
        f"try: app(['--data', {str(office.data)!r}, 'account', 'list'])\nexcept SystemExit: pass\n"
        "print(sorted({'alembic', 'litestar', 'httpx', 'sqlalchemy.dialects.postgresql'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
