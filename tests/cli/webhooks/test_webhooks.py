"""trunkline webhooks."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from ..office import Office, Run, Told, refused

URL = "https://8.8.8.8/hooks"


@pytest.fixture
def made(told: Told) -> dict[str, Any]:
    return told(
        "webhooks", "create", URL, "--account", "acme", "--events", "call.CALL_ENDED.*, device.#"
    )


class Receiver(HTTPServer):
    """Keeps what comes, and answers with ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Answering(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"got it")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("TRUNKLINE_WEBHOOK_ALLOW", "127.0.0.0/8")
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_secret_is_shown_once_and_stored_never(office: Office, run: Run, made: Any) -> None:
    secret = made["secret"]
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert (made["url"], made["state"]) == (URL, "enabled")
    assert made["events"] == ["call.CALL_ENDED.*", "device.#"]
    assert made["accountId"] == office.account.account_id
    shown = run("webhooks", "list").output + run("webhooks", "show", URL, "--json").output
    assert secret not in shown
    stored = b"".join(file.read_bytes() for file in office.data.glob("trunkline.db*"))
    assert secret.encode() not in stored
    assert secret.removeprefix("whsec_").encode() not in stored


def test_one_is_found_by_its_id_its_beginning_or_its_url(told: Told, run: Run, made: Any) -> None:
    id_ = made["webhookId"]
    for name in (id_, id_[:8], URL):
        assert told("webhooks", "show", name)["webhookId"] == id_
    refused(run("webhooks", "show", "https://other.example/"), "there is no webhook")
    told("webhooks", "create", URL, "--account", "acme")
    refused(run("webhooks", "show", URL), "several webhooks are")
    assert len(told("webhooks", "list", "--account", "acme")) == 2


def test_it_is_switched_rotated_and_deleted(told: Told, made: Any) -> None:
    id_ = made["webhookId"]
    assert told("webhooks", "disable", id_)["state"] == "disabled"
    assert told("webhooks", "enable", id_)["state"] == "enabled"
    rotated = told("webhooks", "rotate", id_)
    assert rotated["secret"] != made["secret"]
    assert told("webhooks", "delete", id_)["deleted"] is True
    assert told("webhooks", "list") == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("http://8.8.8.8/",), "take https"),
        (("https://127.0.0.1/",), "webhook_allow"),
        (("https://u:p@8.8.8.8/",), "a user or a password"),
        ((URL, "--events", "call.NOTHING.*"), "event NOTHING not supported"),
        ((URL, "--after", "9"), "from 0 to 0"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, words: tuple[str, ...], says: str) -> None:
    refused(run("webhooks", "create", *words, "--account", "acme"), says)


def test_a_test_is_sent_and_told(told: Told, run: Run, receiver: Receiver) -> None:
    made = told("webhooks", "create", receiver.url, "--account", "acme")
    tested = told("webhooks", "test", made["webhookId"])
    assert (tested["state"], tested["status"], tested["answer"]) == ("delivered", 200, "got it")
    ((headers, body),) = receiver.got
    event = Verifier(made["secret"]).verify(body, {k.lower(): v for k, v in headers.items()})
    assert event["type"] == "WEBHOOK_TEST"
    receiver.status = 500
    failed = run("webhooks", "test", receiver.url, "--json")
    assert (failed.exit_code, json.loads(failed.stdout)["status"]) == (1, 500)
    deliveries = told("webhooks", "deliveries", receiver.url)
    assert [each["state"] for each in deliveries] == ["failed", "delivered"]
    (attempt,) = told(
        "webhooks", "deliveries", receiver.url, "--attempts", str(tested["deliveryId"])
    )
    assert (attempt["status"], attempt["address"]) == (200, "127.0.0.1")


def test_events_are_queued_again(office: Office, told: Told, run: Run, made: Any) -> None:
    office.say("DEVICE_ONLINE", "DEVICE_OFFLINE", "DEVICE_ONLINE")
    with closing(sqlite3.connect(office.data / "trunkline.db")) as connection:
        connection.execute("UPDATE webhooks SET cursor = 3")
        connection.commit()
    assert told("webhooks", "replay", URL, "--from", "2") == {"queued": 2}
    assert told("webhooks", "replay", URL, "--since", "2023-11-14T22:13:20Z") == {"queued": 3}
    assert told("webhooks", "replay", URL, "--since", "2023-11-14T22:13:21Z") == {"queued": 0}
    queued = told("webhooks", "deliveries", URL, "--state", "pending", "--from", "3")
    assert [(each["seq"], each["kind"]) for each in queued] == [(3, "replay"), (3, "replay")]
    assert (
        told("webhooks", "replay", URL, "--delivery", str(queued[0]["deliveryId"]))["queued"] == 1
    )
    refused(run("webhooks", "replay", URL), "say what to send again")
    refused(run("webhooks", "replay", URL, "--since", "soon"), "is no time")
    refused(run("webhooks", "replay", URL, "--delivery", "999"), "has no such delivery")


def test_one_that_was_stopped_is_told_by_doctor(office: Office, run: Run, made: Any) -> None:
    id_ = made["webhookId"]

    def finding(name: str) -> dict[str, Any]:
        said = json.loads(run("doctor", "--json").stdout)
        return next(each for each in said if each["name"] == name)

    assert finding("webhooks")["ok"] is True
    with closing(sqlite3.connect(office.data / "trunkline.db")) as connection:
        connection.execute("UPDATE webhooks SET state = 'suspended', reason = 'it was silent'")
        connection.commit()
    told = finding(f"webhook {id_[:8]}")
    assert (told["ok"], told["detail"]) == (False, "of acme: suspended, it was silent")
    assert f"trunkline webhooks enable {id_}" in told["mend"]
