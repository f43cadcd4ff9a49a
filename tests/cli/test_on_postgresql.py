"""The commands on PostgreSQL, each in a process of its own as a person starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from cluster import Cluster
from trunkline.cli import app
from trunkline.store.opening import core_engine

from .office import CALL, NAME, Office
from .served import Start

Done = subprocess.CompletedProcess[str]
Told = Callable[..., Any]


def command(data: Path, url: str, *words: str) -> Done:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TRUNKLINE_")}
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from trunkline.cli import main; main()",
            "--data",
            str(data),
            *words,
        ],
        env={**clean, "TRUNKLINE_DATABASE": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir(mode=0o700)
    return tmp_path / "data"


@pytest.fixture
def told(data: Path, postgres_url: str) -> Told:
    """Run a command that must work, and read its JSON."""

    def run(*words: str) -> Any:
        done = command(data, postgres_url, *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def refused(done: Done, *passwords: str) -> str:
    """One line on stderr, and no password; gives it."""
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not [password for password in passwords if password in done.stderr]
    return done.stderr


def test_the_directory_is_made_and_listed(told: Told, data: Path) -> None:
    account = told("account", "create", "acme", "--timezone", "Asia/Ho_Chi_Minh")
    made = told("app", "create", "--account", "acme")
    told("user", "create", "an", "--account", "acme", "--extension", "101")
    device = told("device", "create", "--account", "acme", "--user", "an", "--sip-user", "an1")
    told("trunk", "create", "carrier", "--account", "acme", "--host", "127.0.0.1:5099")
    told("number", "create", "02873019555", "--account", "acme", "--to", "user:an")
    key = told("key", "create", "tail", "--account", "acme", "--scopes", "events:read")

    assert (len(made["appSecret"]) > 20, device["realm"]) == (True, "trunkline")
    [shown] = told("device", "list", "--account", "acme")
    assert (shown["username"], shown["online"]) == ("an", False)
    assert told("account", "show", "acme") == account
    assert told("app", "show", made["appId"]) == {k: v for k, v in made.items() if k != "appSecret"}
    assert [each["name"] for each in told("key", "list")] == ["tail"]
    assert key["key"].startswith(told("key", "list")[0]["prefix"])
    assert not (data / "trunkline.db").exists()


def test_a_new_database_is_made_by_the_first_command(cluster: Cluster, data: Path) -> None:
    name = cluster.create()
    url = cluster.url(name)
    try:
        said = refused(command(data, url, "calls", "list"), _password(url))
        assert f"there is nothing of Trunkline in postgresql://127.0.0.1:{cluster.port}" in said
        assert command(data, url, "account", "create", "acme").returncode == 0
        assert command(data, url, "calls", "list", "--json").stdout == "[]\n"
    finally:
        cluster.drop(name)


CDR = """calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,disposition,uniqueid
2026-02-07 09:30:00,An <101>,101,0901234567,from-internal,PJSIP/101-1,PJSIP/carrier-2,Dial,,30,20,ANSWERED,1.1
2026-02-08 09:30:00,An <101>,101,0901234568,from-internal,PJSIP/101-3,PJSIP/carrier-4,Dial,,9,0,NO ANSWER,1.3
"""


def test_calls_are_imported_shown_counted_and_checked(
    told: Told, data: Path, postgres_url: str, tmp_path: Path
) -> None:
    told("account", "create", "acme")
    file = tmp_path / "cdr.csv"
    file.write_text(CDR)
    words = ("import", str(file), "--account", "acme")

    assert told(*words, "--dry-run")["wouldAdd"] == 2
    assert (told(*words)["added"], told(*words)["alreadyThere"]) == (2, 2)
    february = ("--account", "acme", "--from", "2026-02-01", "--to", "2026-02-28")
    newest, oldest = told("history", *february)
    assert (newest["status_detail"], oldest["billing_seconds"]) == ("UNSUCCESS", 20)
    assert told("stats", *february)["totals"]["calls"] == 2
    assert told("calls", "show", oldest["call_id"])["startedAt"] == 1770456600000000
    exported = command(data, postgres_url, "calls", "export", "-", "--format", "jsonl", *february)
    assert (exported.returncode, exported.stdout.count("\n")) == (0, 2)

    assert told("db", "check") == []
    engine = core_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE call_counts_day SET n = n + 1")
    engine.dispose()
    wrong = command(data, postgres_url, "db", "check", "--repair")
    assert (wrong.returncode, "they were made anew" in wrong.stderr) == (1, True)
    assert told("db", "check") == []

    told("account", "keep", "acme", "--calls", "1")
    [due] = told("retention", "run", "--dry-run")
    assert (due["account"], due["kind"], due["rows"]) == ("acme", "calls", 2)
    told("call", "hold", newest["call_id"])
    told("retention", "run")
    assert [row["call_id"] for row in told("history", *february)] == [newest["call_id"]]


def test_what_happens_is_told(data: Path, postgres_url: str, told: Told) -> None:
    office = Office(data, postgres_url)
    office.click()
    [live] = told("calls", "list")
    assert (live["callId"], live["state"]) == (CALL, "ringing")
    office.talk_and_end()
    assert [leg["legId"] for leg in told("calls", "show", CALL)["legs"]] == [CALL, "tl1-1.2"]

    for group in ("calls", "events"):
        words = (group, "tail", "--account", "acme", "--after", "0", "--once", "--json")
        done = command(data, postgres_url, *words)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(events) == 10, done.stderr
    [row] = told("recording", "list")
    assert (row["name"], row["state"]) == (NAME, "pending")
    missing = command(data, postgres_url, "recording", "get", CALL)
    assert "is still being made" in refused(missing)

    hook = told("webhooks", "create", "https://1.1.1.1/", "--account", "acme")
    assert [each["webhookId"] for each in told("webhooks", "list")] == [hook["webhookId"]]
    told("webhooks", "disable", hook["webhookId"])
    assert told("webhooks", "show", hook["webhookId"])["state"] == "disabled"


@pytest.mark.parametrize("group", ["calls", "events"])
def test_events_are_followed_until_ctrl_c(
    group: str, data: Path, postgres_url: str, tailing: Start
) -> None:
    office = Office(data, postgres_url)
    office.say("DEVICE_ONLINE")
    words = ("--data", str(data), group, "tail", "--account", "acme", "--after", "0", "--json")
    tail = tailing(*words, TRUNKLINE_DATABASE=postgres_url)
    names = []
    for name in ("DEVICE_OFFLINE", "DEVICE_ONLINE"):
        names.append(tail.next())
        office.say(name)
    names.append(tail.next())
    assert len(names) == 3
    status, rest, said = tail.end()
    assert (status, rest, said) == (0, [], "")


# ---- doctor -------------------------------------------------------------------------------------


def findings(data: Path, url: str) -> dict[str, Any]:
    done = command(data, url, "doctor", "--json")
    assert _password(url) not in done.stdout + done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)}


def test_the_doctor_looks_at_the_server_and_the_database(
    data: Path, postgres_url: str, cluster: Cluster
) -> None:
    Office(data, postgres_url)
    found = findings(data, postgres_url)
    names = ("postgresql", "postgresql durable", "postgresql roles", "database", "webhooks")
    assert [found[name]["ok"] for name in names] == [True] * 5
    assert found["database"]["detail"].startswith(f"postgresql://127.0.0.1:{cluster.port}/")
    assert "trunkline may make" in found["postgresql roles"]["detail"]


def test_the_doctor_says_what_an_administrator_is_to_do(
    data: Path, postgres_url: str, cluster: Cluster
) -> None:
    name = urlsplit(postgres_url).path[1:]
    role = f"r_{name}"
    cluster.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p4ssw0rd'")
    try:
        cluster.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", name)
        found = findings(data, cluster.url(name, role, "p4ssw0rd"))
        assert found["postgresql roles"]["ok"] is False
        assert f"ALTER ROLE {role} CREATEROLE" in found["postgresql roles"]["mend"]
        assert found["database"]["ok"] is True
    finally:
        cluster.execute(f"DROP OWNED BY {role}", name)
        cluster.execute(f"DROP ROLE {role}")


def test_the_doctor_goes_on_where_postgresql_is_away(data: Path) -> None:
    found = findings(data, "postgresql://trunkline:hush-hush@127.0.0.1:1/nothing")
    assert (found["database"]["ok"], "postgresql" in found) == (False, False)
    assert "the setting database" in found["database"]["mend"]
    assert "http port" in found


# ---- a database that cannot be used -----------------------------------------------------------------


def _password(url: str) -> str:
    return str(urlsplit(url).password)


COMMANDS = [
    ("account", "list"),
    ("account", "create", "acme"),
    ("key", "list"),
    ("calls", "list"),
    ("calls", "tail"),
    ("calls", "show", "c"),
    ("history", "--account", "acme"),
    ("stats",),
    ("events", "tail", "--once"),
    ("recording", "list"),
    ("webhooks", "list"),
    ("webhooks", "create", "https://hooks.example.com/", "--account", "acme"),
    ("retention", "run", "--dry-run"),
    ("call", "hold", "c"),
    ("db", "check"),
    ("db", "check", "--repair"),
    ("import", "/dev/null", "--account", "acme"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_wrong_password_and_a_server_that_is_away_are_one_line(
    words: tuple[str, ...], data: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = "postgresql://trunkline:hush-hush@127.0.0.1:1/nothing"
    wrong = cluster.url("postgres", password="hush-hush")
    for url, says in ((away, "refused"), (wrong, "password authentication failed")):
        monkeypatch.setenv("TRUNKLINE_DATABASE", url)
        result = CliRunner().invoke(app, ["--data", str(data), *words])
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert result.stderr.startswith("error: cannot use postgresql://127.0.0.1:")
        assert (result.stderr.count("\n"), says in result.stderr) == (1, True)
        assert "hush-hush" not in result.stderr


def test_so_they_are_in_a_process_of_their_own(data: Path, cluster: Cluster) -> None:
    url = cluster.url("postgres", password="hush-hush")
    refused(command(data, url, "calls", "list"), "hush-hush")


def test_another_key_is_refused(data: Path, postgres_url: str, told: Told) -> None:
    told("account", "create", "acme")
    (data / "secret.key").unlink()
    said = refused(command(data, postgres_url, "account", "list"), _password(postgres_url))
    assert "belongs to another secret.key" in said
