"""The directory by the command line: what it prints, what it refuses, whom it tells."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trunkline import __version__
from trunkline.cli import app
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import open_database

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, ["--data", str(tmp_path), *words])

    return invoke


@pytest.fixture
def made(run: Run) -> Callable[..., Any]:
    """Run a command that must work, and read its JSON."""

    def invoke(*words: str) -> Any:
        result = run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return invoke


@pytest.fixture
def office(made: Callable[..., Any]) -> dict[str, Any]:
    return {
        "account": made("account", "create", "acme", "--timezone", "Asia/Ho_Chi_Minh"),
        "app": made("app", "create", "--account", "acme"),
        "user": made("user", "create", "--account", "acme", "an", "--name", "An", "--extension", "101"),
        "device": made("device", "create", "--account", "acme", "--user", "an", "--sip-user", "an1"),
        "trunk": made("trunk", "create", "viettel", "--account", "acme", "--host", "10.0.0.1:5070",
                      "--auth-user", "u", "--auth-password", "hush", "--register", "--match", "10.0.0.0/24,10.1.1.1"),
        "number": made("number", "create", "--account", "acme", "+842873019555", "--to", "user:an"),
    }  # fmt: skip


def refused(result: Result, says: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


async def test_all_that_the_surface_promises(office, tmp_path):
    account_id = office["account"]["accountId"]
    assert len(account_id) == len(office["app"]["appId"]) == 32
    assert len(office["app"]["appSecret"]) == 64
    assert office["device"]["sipUser"] == "an1"
    assert len(office["device"]["sipPassword"]) >= 20
    assert office["trunk"]["match"] == ["10.0.0.0/24", "10.1.1.1"]
    assert office["number"]["username"] == "an"
    for kind in ("app", "user", "device", "trunk", "number"):
        assert office[kind]["accountId"] == account_id
        assert len(office[kind][f"{kind}Id"]) == 32
        assert office[kind]["enabled"] is True
    database = open_database(tmp_path / "trunkline.db", open_key(tmp_path / "secret.key"))
    found = await database.directory.app(office["app"]["appId"])
    assert found is not None
    assert found.secret == office["app"]["appSecret"]
    behind = await database.directory.did(account_id, "842873019555")
    assert behind is not None
    assert behind.sip_users == ("an1",)
    await database.close()


def test_secrets_are_shown_once_and_stored_never(office, run, tmp_path):
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("trunkline.db*"))
    for secret in (office["app"]["appSecret"], office["device"]["sipPassword"], "hush"):
        assert secret.encode() not in stored
    for kind in ("app", "device", "trunk"):
        shown = run(kind, "list").output + run(kind, "list", "--json").output
        assert office["app"]["appSecret"] not in shown
        assert office["device"]["sipPassword"] not in shown
        assert "hush" not in shown


@pytest.mark.parametrize(
    ("kind", "name"),
    [("account", "acme"), ("user", "an"), ("device", "an1"), ("trunk", "viettel"), ("number", "+842873019555")],
)  # fmt: skip
def test_each_kind_is_listed_shown_and_switched_by_name_or_id(office, made, run, kind, name):
    id_ = office[kind][f"{kind}Id"]
    assert [entry[f"{kind}Id"] for entry in made(kind, "list", "--account", "acme")] == [id_]
    assert made(kind, "show", name) == made(kind, "show", id_, "--account", "acme")
    assert made(kind, "disable", name)["enabled"] is False
    assert made(kind, "show", id_)["enabled"] is False
    assert made(kind, "enable", id_)["enabled"] is True
    assert name in run(kind, "list").stdout
    assert name in run(kind, "show", name).stdout


@pytest.mark.parametrize("kind", ["number", "device", "app", "trunk"])
def test_what_is_deleted_is_gone(office, made, run, kind):
    id_ = office[kind][f"{kind}Id"]
    assert made(kind, "delete", id_)["deleted"] is True
    assert made(kind, "list") == []
    refused(run(kind, "show", id_), f"there is no {kind}")


def test_a_user_whose_number_rings_stays(office, made, run):
    refused(run("user", "delete", "an"), "+842873019555")
    made("number", "delete", "+842873019555")
    made("user", "delete", "an")
    assert made("device", "list") == []


def test_an_account_takes_what_it_has_along(office, made):
    made("account", "delete", "acme")
    for kind in ("account", "app", "user", "device", "trunk", "number"):
        assert made(kind, "list") == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("account create acme", "already an account called 'acme'"),
        ("account create x --timezone Mars/Base", "Asia/Ho_Chi_Minh"),
        ("account create x --timezone ../../etc/passwd", "not a time zone"),
        ("account create x --caller-id abc", "caller ID"),
        ("account create x --allow 84,x", "--allow: 'x' is not a prefix"),
        ("account create 0123456789abcdef0123456789abcdef", "not just 32 hex digits"),
        ("app create --account nobody", "there is no account 'nobody'"),
        ("app create --account acme --from 10.0.0.300", "--from"),
        ("user create --account acme an", "already a user called 'an'"),
        ("user create --account acme b --extension 101", "leads to user:an"),
        ("user create --account acme b --extension 0101", "cannot be an extension"),
        ("user create --account acme b --extension 1", "cannot be an extension"),
        ("user create --account acme b/c", "cannot be a user name"),
        ("device create --account acme --user an --sip-user an1", "already a device called 'an1'"),
        ("device create --account acme --user an --sip-user trunk-1", "not starting with trunk-"),
        ("device create --account acme --user an --sip-user a;b", "cannot be a SIP user"),
        ("device create --account acme --user nobody --sip-user b", "there is no user 'nobody'"),
        ("trunk create viettel --account acme --host 10.0.0.1", "already a trunk called"),
        ("trunk create t --account acme --host 10.0.0.1:0", "HOST:PORT"),
        ("trunk create t --account acme --host 10.0.0.1:99999999999", "HOST:PORT"),
        ("trunk create t --account acme --host a]b", "HOST:PORT"),
        ("trunk create t --account acme --host h --transport sctp", "udp, tcp or tls"),
        ("trunk create t --account acme --host h --register", "--register needs"),
        ("trunk create t --account acme --host h --auth-user u", "give both"),
        ("trunk create t --account acme --host h --match nowhere", "--match"),
        ("number create --account acme 842873019555 --to user:an", "already the number"),
        ("number create --account acme 0x12 --to user:an", "is not a number"),
        ("number create --account acme 02873 --to group:an", "take one of user:USERNAME"),
        ("number create --account acme 02873 --to user:nobody", "there is no user"),
        ("user show nobody", "there is no user 'nobody'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(office, run, words, says):
    refused(run(*words.split()), says)


def test_names_that_several_accounts_use_need_the_account(office, made, run):
    made("account", "create", "other")
    made("user", "create", "--account", "other", "an")
    refused(run("user", "show", "an"), "--account")
    assert made("user", "show", "an", "--account", "acme") == office["user"]


def test_a_control_character_never_gets_in(office, run):
    refused(run("user", "create", "--account", "acme", "b", "--name", "a\nb"), "printable")
    words = ["trunk", "create", "t", "--account", "acme", "--host", "h", "--auth-user", "u"]
    refused(run(*words, "--auth-password", "a\nb"), "printable")


def test_a_weak_sip_password_needs_to_be_wanted(office, made, run):
    words = ("device", "create", "--account", "acme", "--user", "an", "--sip-user")
    for weak in ("secret", "ăn-cơm-chưa"):
        refused(run(*words, "an2", "--sip-password", weak), "--allow-weak-password")
    assert weak not in run(*words, "an2", "--sip-password", weak).output
    taken = made(*words, "an2", "--sip-password", "secret", "--allow-weak-password")
    assert taken["sipPassword"] == "secret"
    assert made(*words, "an3", "--sip-password", "twelve-chars")["sipPassword"] == "twelve-chars"


def test_a_weak_password_at_the_carrier_is_warned_of(office, run):
    words = ("trunk", "create", "--account", "acme", "--host", "h", "--auth-user", "u")
    weak = run(*words, "t1", "--auth-password", "secret")
    assert (weak.exit_code, "guesses this password" in weak.stderr) == (0, True)
    for more in ("secret", "--allow-weak-password"), ("twelve-chars",):
        assert run(*words, f"t{len(more) + 1}", "--auth-password", *more).stderr == ""


def test_wrong_usage_is_status_2(run):
    assert run("account", "create").exit_code == 2
    assert run("account", "frobnicate").exit_code == 2
    assert run("frobnicate").exit_code == 2


def test_a_data_directory_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["--data", str(tmp_path / "file"), "account", "list"])
    refused(result, "file")


def test_the_console_script(tmp_path):
    script = Path(sys.executable).with_name("trunkline")
    environ = {**os.environ, "TRUNKLINE_DATA": str(tmp_path)}
    made = subprocess.run(
        [script, "account", "create", "acme", "--json"],
        env=environ,
        capture_output=True,
        check=True,
    )
    assert json.loads(made.stdout)["name"] == "acme"
    again = subprocess.run([script, "account", "create", "acme"], env=environ, capture_output=True)
    assert (again.returncode, again.stdout) == (1, b"")
    assert again.stderr.startswith(b"error: there is already")
    version = subprocess.run([script, "version"], capture_output=True, check=True)
    assert version.stdout.decode() == f"trunkline {__version__}\n"
    listed = subprocess.run([script, "--help"], capture_output=True, check=True)
    assert b"account" in listed.stdout


# ---- A running server is told -----------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    status = 204
    asked: list[tuple[str, str | None]]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        about = {"url": url, "token": "t0ken", "pid": os.getpid()}
        (tmp_path / "server.json").write_text(json.dumps(about))
        yield server
        server.shutdown()


def test_a_running_server_is_told_of_each_change(server, made):
    made("account", "create", "acme")
    made("account", "list")
    made("account", "disable", "acme")
    made("account", "delete", "acme")
    assert server.asked == [("/internal/sync", "Bearer t0ken")] * 3


def test_a_server_that_does_not_answer_is_a_warning(server, run, tmp_path):
    server.status = 500
    result = run("account", "create", "acme")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: the change is stored")
    assert "t0ken" not in result.output
    server.server_close()
    assert "warning" in run("account", "disable", "acme").stderr
    (tmp_path / "server.json").write_text(
        json.dumps({"url": "http://127.0.0.1:9", "token": "t", "pid": 2**22 - 1})
    )
    assert run("account", "enable", "acme").stderr == ""


def test_a_carrier_address_of_two_accounts_is_warned_of(run: Run, office: dict[str, Any]) -> None:
    assert office["trunk"]["match"] == ["10.0.0.0/24", "10.1.1.1"]
    assert run("account", "create", "other").exit_code == 0
    alone = run("trunk", "create", "a", "--account", "other", "--host", "10.2.2.2")
    shared = run("trunk", "create", "b", "--account", "other", "--host", "10.1.1.1")
    warned = ("a trunk of acme takes calls from the same address" in shared.stderr, alone.stderr)
    assert (shared.exit_code, warned) == (0, (True, ""))


@pytest.mark.parametrize(("sip_user", "warned"), [("0901234567", True), ("1001", False)])
def test_a_device_named_like_a_caller_is_warned_of(
    run: Run, office: dict[str, Any], sip_user: str, warned: bool
) -> None:
    assert office["user"]["username"] == "an"
    done = run("device", "create", "--account", "acme", "--user", "an", "--sip-user", sip_user)
    assert (done.exit_code, "looks like a telephone number" in done.stderr) == (0, warned)
