"""events: the log live, again, and with samples in it; of the data directory and of a server."""

from __future__ import annotations

import itertools
import json
import sqlite3
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trunkline.cli import app
from trunkline.events.payloads import KINDS

from ..office import CALL, Office, Run, Told, refused
from ..served import Cutting, Served, Start


def lines(result: Result) -> list[Any]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def numbers(told: list[Any]) -> list[int]:
    return [event["seq"] for event in told]


# ---- tail and replay of the data directory ------------------------------------------------------


def test_tail_prints_envelopes_of_all_categories(office: Office, run: Run) -> None:
    office.say("DEVICE_ONLINE")
    office.click()

    told = lines(run("events", "tail", "--account", "acme", "--after", "0", "--once", "--json"))

    assert [(event["seq"], event["type"]) for event in told] == [
        (1, "DEVICE_ONLINE"), (2, "CHANNEL_CREATE"), (3, "CHANNEL_PROGRESS"),
    ]  # fmt: skip
    assert told[1]["data"]["call_id"] == told[1]["call_id"] == CALL


def test_a_line_for_people_says_the_number_to_go_on_from(office: Office, run: Run) -> None:
    office.say("DEVICE_ONLINE")
    office.click()

    told = run("events", "tail", "--account", "acme", "--after", "0", "--once").stdout.splitlines()

    assert [line.split()[0] for line in told] == ["1", "2", "3"]


def test_tail_takes_bindings(office: Office, run: Run) -> None:
    office.say("DEVICE_ONLINE")
    office.click()
    words = ("events", "tail", "--account", "acme", "--after", "0", "--once", "--json")

    told = lines(run(*words, "--types", "device.#, call.CHANNEL_CREATE.*"))

    assert numbers(told) == [1, 2]
    refused(run(*words, "--types", "call.NEVER.*"), "event NEVER not supported")


def test_a_number_needs_its_account(run: Run) -> None:
    refused(run("events", "tail", "--after", "3"), "--after needs --account")


def test_replay_prints_a_stretch(office: Office, run: Run) -> None:
    office.say(*["DEVICE_ONLINE", "DEVICE_OFFLINE"] * 300)

    told = lines(run("events", "replay", "--from", "20", "--to", "590", "--json"))

    assert numbers(told) == list(range(20, 591))


def test_replay_of_one_call(office: Office, run: Run) -> None:
    office.say("DEVICE_ONLINE")
    office.click()
    office.say("DEVICE_OFFLINE")
    office.talk_and_end()
    words = ("events", "replay", "--account", "acme", "--from", "1", "--json", "--call", CALL)

    told = lines(run(*words))
    some = lines(run(*words, "--types", "call.CALL_ENDED.*"))

    assert {event["call_id"] for event in told} == {CALL}
    assert len(told) == 10
    assert [event["type"] for event in some] == ["CALL_ENDED"]


def test_replay_says_what_is_kept_no_more(office: Office, run: Run) -> None:
    office.say(*["DEVICE_ONLINE"] * 5)
    with sqlite3.connect(office.file) as connection:
        connection.execute("DELETE FROM events WHERE seq <= 3")
        connection.execute("UPDATE accounts SET events_from = 4")
    words = ("events", "replay", "--account", "acme", "--from", "2")

    told = lines(run(*words, "--json"))
    only_lost = lines(run(*words, "--to", "3", "--json"))

    assert (told[0]["type"], told[0]["data"]) == ("GAP", {"from": 2, "to": 3})
    assert numbers(told[1:]) == [4, 5]
    assert [event["data"] for event in only_lost] == [{"from": 2, "to": 3}]
    assert "events 2 to 3 are not kept any more" in run(*words).stdout


def test_replay_needs_one_account(office: Office, run: Run) -> None:
    office.add_account("other")

    refused(run("events", "replay", "--from", "1"), "say which account with --account")
    refused(run("events", "replay", "--from", "3", "--to", "2"), "swap them")


def test_a_stretch_is_sent_to_a_webhook_again(
    office: Office, served: Served, run: Run, told: Told
) -> None:
    office.add_account("other")
    run("events", "trigger", "call", "--account", "acme")
    words = ("--account", "acme", "--events", "call.CALL_ENDED.*", "--after", "0")
    webhook = told("webhooks", "create", "https://8.8.8.8/hooks", *words)["webhookId"]
    office.write(lambda db: db.deliveries.examined(webhook, 0, 14, [], 0))
    scopes = ("--scopes", "webhooks:write")
    key = told("key", "create", "again", "--account", "acme", *scopes)["key"]
    again = ("events", "replay", "--from", "1", "--to-webhook", webhook)

    here = told(*again)
    there = told(*again, "--to", "14", "--server", served.url, "--key", key)
    few = told(*again, "--to", "12")

    assert [here, there, few] == [{"queued": 1}, {"queued": 1}, {"queued": 0}]
    assert [each["kind"] for each in told("webhooks", "deliveries", webhook)] == ["replay"] * 2
    refused(run(*again, "--call", "test-1"), "leave the others out")
    refused(run(*again, "--account", "other"), "of another account")
    missing = (*again[:-1], "f" * 32)
    refused(run(*missing), "there is no webhook")
    refused(run(*missing, "--server", served.url, "--key", key), "refuses the request")


# ---- trigger ------------------------------------------------------------------------------------


def test_every_event_has_a_sample(run: Run) -> None:
    names = run("events", "trigger", "--list").stdout.split()

    assert names == ["call", *KINDS]


@pytest.mark.parametrize("name", KINDS)
def test_a_sample_is_an_event_of_its_kind(
    served: Served, office: Office, run: Run, name: str
) -> None:
    words = ("events", "trigger", name, "--account", "acme", "--call", "test-7")

    [told] = lines(run(*words, "--json"))

    assert (told["type"], told["data"]["test"]) == (name, True)
    assert told["call_id"] == ("test-7" if told["category"] == "call" else None)
    assert "(test)" in run(*words).stdout


def test_a_whole_call_comes_in_order_and_leaves_no_record(
    served: Served, office: Office, run: Run, told: Told
) -> None:
    made = lines(run("events", "trigger", "call", "--account", "acme", "--json"))

    assert numbers(made) == list(range(1, len(made) + 1))
    names = [event["type"] for event in made]
    assert names[0] == "CHANNEL_CREATE"
    assert names[-2:] == ["CALL_ENDED", "RECORDING_READY"]
    assert names.count("CHANNEL_CREATE") == names.count("CHANNEL_DESTROY") == 2
    [call_id] = {event["call_id"] for event in made}
    assert call_id.startswith("test-")
    assert made == lines(run("events", "replay", "--from", "1", "--call", call_id, "--json"))
    assert told("history", "--account", "acme") == []
    assert told("calls", "list") == []
    assert told("recording", "list", "--account", "acme") == []


def test_samples_need_a_server(office: Office, run: Run) -> None:
    refused(run("events", "trigger", "call", "--account", "acme"), "start it with trunkline up")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("NEVER", "--account", "acme"), "see trunkline events trigger --list"),
        (("call",), "name a sample and its account"),
        (("call", "--account", "nobody"), "see trunkline account list"),
        (("call", "--account", "acme", "--call", "abc"), "name it test-abc"),
    ],
)
def test_trigger_says_what_is_wrong(run: Run, words: tuple[str, ...], says: str) -> None:
    refused(run("events", "trigger", *words), says)


# ---- of a server --------------------------------------------------------------------------------


def test_a_server_is_followed_over_its_restart(
    office: Office, served: Served, run: Run, key: str, tailing: Start
) -> None:
    run("events", "trigger", "DEVICE_ONLINE", "--account", "acme")
    words = ("events", "tail", "--server", served.url, "--after", "0", "--json")
    tail = tailing(*words, TRUNKLINE_KEY=key)
    seen = [tail.next()["seq"]]

    served.stop()
    office.say("DEVICE_OFFLINE")  # what happens while nobody serves it
    served.start()
    run("events", "trigger", "call", "--account", "acme")
    seen += [tail.next()["seq"] for _ in range(15)]

    status, rest, said = tail.end()
    assert seen == list(range(1, 17))
    assert (status, rest) == (0, [])
    assert key not in said


def test_broken_connections_leave_no_gap_and_repeat_nothing(
    office: Office, served: Served, run: Run, key: str, tailing: Start
) -> None:
    for _ in range(6):
        run("events", "trigger", "call", "--account", "acme")
    lengths = itertools.count(9000, 12_345)  # mostly amid an event
    proxy = Cutting(served.port, lambda: next(lengths))
    tail = tailing(
        "events", "tail", "--server", proxy.url, "--after", "0", "--json", TRUNKLINE_KEY=key
    )

    seen = [tail.next()["seq"] for _ in range(6 * 14)]

    status, rest, said = tail.end()
    assert seen == list(range(1, 6 * 14 + 1))
    assert (status, rest) == (0, [])
    assert proxy.connections > 3
    assert "the connection broke" in said
    proxy.close()


def test_a_tail_from_now_on_takes_bindings(
    served: Served, run: Run, key: str, tailing: Start
) -> None:
    run("events", "trigger", "call", "--account", "acme")
    words = ("events", "tail", "--server", served.url, "--types", "device.#", "--json")
    tail = tailing(*words, TRUNKLINE_KEY=key)
    told: list[Any] = []
    while not told:  # until the tail is there to hear it
        run("events", "trigger", "call", "--account", "acme")
        run("events", "trigger", "DEVICE_ONLINE", "--account", "acme")
        if not tail._lines.empty():
            told.append(tail.next())

    assert told[0]["type"] == "DEVICE_ONLINE"
    _, rest, _ = tail.end()
    assert {event["type"] for event in rest} <= {"DEVICE_ONLINE"}


def test_replay_of_a_server_is_that_of_its_data_directory(
    served: Served, run: Run, key: str
) -> None:
    for _ in range(40):
        run("events", "trigger", "call", "--account", "acme")
    words = ("events", "replay", "--from", "7", "--to", "555", "--json")
    remote = ("--server", served.url, "--key", key)
    once = ("events", "tail", "--once", "--json", "--after", "550")

    here, there = lines(run(*words)), lines(run(*words, *remote))

    assert numbers(here) == list(range(7, 556))
    assert here == there
    few = ("--types", "call.CALL_ENDED.*")
    assert lines(run(*words, *few)) == lines(run(*words, *few, *remote))
    assert numbers(lines(run(*once, *remote))) == list(range(551, 561))


def test_a_gap_is_told_by_a_server_too(office: Office, served: Served, run: Run, key: str) -> None:
    run("events", "trigger", "call", "--account", "acme")
    with sqlite3.connect(office.file) as connection:
        connection.execute("DELETE FROM events WHERE seq <= 3")
        connection.execute("UPDATE accounts SET events_from = 4")
    remote = ("--server", served.url, "--key", key, "--json")

    told = lines(run("events", "replay", "--from", "2", *remote))

    assert (told[0]["type"], told[0]["data"]) == ("GAP", {"from": 2, "to": 3})
    assert numbers(told[1:]) == list(range(4, 15))


def test_a_key_is_read_from_standard_input(office: Office, served: Served, key: str) -> None:
    words = ["events", "tail", "--once", "--after", "0", "--server", served.url, "--key", "-"]

    told = CliRunner().invoke(app, words, input=f"{key}\n")

    assert (told.exit_code, told.output) == (0, "")


def test_a_key_that_is_not_taken_ends_it(
    office: Office, served: Served, run: Run, told: Told, tailing: Start
) -> None:
    words = ("key", "create", "other", "--account", "acme", "--scopes", "calls:read")
    other = told(*words)["key"]
    wrong = "tlk_" + "A" * 43
    for key, says in ((wrong, "does not take the key"), (other, "events:read")):
        result = run("events", "tail", "--server", served.url, "--key", key)
        refused(result, says)
        assert key not in result.output


def test_a_revoked_key_ends_a_tail(
    office: Office, served: Served, run: Run, key: str, tailing: Start
) -> None:
    run("events", "trigger", "DEVICE_ONLINE", "--account", "acme")
    words = ("events", "tail", "--server", served.url, "--after", "0", "--json")
    tail = tailing(*words, TRUNKLINE_KEY=key)
    tail.next()

    run("key", "revoke", "tail")
    served.stop()
    served.start()

    assert tail.process.wait(60) == 1
    assert "does not take the key" in tail.end()[2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--server", "phone.example.com", "--key", "tlk_x"), "such as https://phone.example.com"),
        (("--server", "http://127.0.0.1:9"), "set TRUNKLINE_KEY"),
        (("--server", "http://127.0.0.1:9", "--key", "a b"), "it begins with tlk_"),
        (("--server", "http://127.0.0.1:9", "--key", "tlk_x", "--account", "acme"), "the key names it"),
        (("--key", "tlk_x"), "--key needs --server"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_server_is_said(run: Run, words: tuple[str, ...], says: str) -> None:
    refused(run("events", "tail", *words), says)


def test_nobody_at_the_address_is_said_soon(run: Run) -> None:
    result = run("events", "tail", "--server", "http://127.0.0.1:9", "--key", "tlk_x")

    assert result.exit_code == 1
    assert "does not answer" in result.stderr.splitlines()[-1]
