"""webhooks listen: an account's events at a developer's own URL, signed as the server signs them."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import stat
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from webhooks.receiver import Got, Receiver, receiving, says
from whole.tls import certificate
from whole.waiting import until

from ..office import Office, Run, refused
from ..served import Served, Start


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "trunkline"


@pytest.fixture
def data(office: Office) -> tuple[str, str]:
    return ("--data", str(office.data))


def secret_of(run: Run, *words: str) -> str:
    result = run("webhooks", "listen", "--print-secret", *words)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


async def come(receiver: Receiver, count: int) -> list[Got]:
    await until(lambda: len(receiver.got) >= count, f"{count} webhooks", timeout=60)
    return receiver.got


async def trigger(run: Run, name: str = "call", *words: str) -> None:
    result = await asyncio.to_thread(run, "events", "trigger", name, "--account", "acme", *words)
    assert result.exit_code == 0, result.output


async def test_events_come_as_the_servers_webhooks_do(
    office: Office, served: Served, run: Run, data: Any, tailing: Start
) -> None:
    secret = secret_of(run)
    await trigger(run)
    async with receiving() as receiver:
        words = (*data, "webhooks", "listen", "--forward-to", receiver.url, "--after", "0")
        listening = tailing(*words, "--json")
        got = await come(receiver, 14)
        shown = [await asyncio.to_thread(listening.next) for _ in range(14)]
        status, _, said = await asyncio.to_thread(listening.end)

    envelopes = [json.loads(line) for line in run(
        "events", "replay", "--from", "1", "--json").stdout.splitlines()]  # fmt: skip
    assert [one.verify(secret) for one in got] == envelopes
    account = office.account.account_id
    assert [one.id for one in got] == [f"evt_{account}_{seq}" for seq in range(1, 15)]
    with pytest.raises(WebhookVerificationError):
        got[0].verify("whsec_" + "A" * 32)
    assert [(one["seq"], one["status"], one["attempts"]) for one in shown] == [
        (seq, 200, 1) for seq in range(1, 15)
    ]
    assert status == 0
    assert secret in said
    assert "--after 14" in said


async def test_from_a_server_they_are_the_same(
    served: Served, run: Run, key: str, tailing: Start
) -> None:
    await trigger(run)
    async with receiving() as receiver:
        words = ("webhooks", "listen", "--server", served.url, "--after", "0", "--json")
        tailing(*words, "--forward-to", receiver.url, TRUNKLINE_KEY=key)
        got = list(await come(receiver, 14))
        await trigger(run, "DEVICE_ONLINE")
        await come(receiver, 15)

    remote = ("--server", served.url, "--key", key)
    secret = await asyncio.to_thread(secret_of, run, *remote)
    for one in got:
        one.verify(secret)
    assert [one.seq for one in got] == list(range(1, 15))


async def test_a_slow_call_holds_up_only_itself(
    served: Served, run: Run, data: Any, tailing: Start
) -> None:
    calls = [f"test-{n}" for n in range(3)]
    for call_id in calls:
        await trigger(run, "call", "--call", call_id)
    gate = asyncio.Event()

    async def slow_for_the_first(got: Got, writer: asyncio.StreamWriter) -> None:
        if got.event["call_id"] == calls[0]:
            await gate.wait()
        await says(204)(got, writer)

    async with receiving() as receiver:
        receiver.manner = slow_for_the_first
        words = (*data, "webhooks", "listen", "--forward-to", receiver.url, "--after", "0")
        tailing(*words, "--json")
        await come(receiver, 29)  # the first event of the slow call, and all of the others
        assert sum(one.event["call_id"] == calls[0] for one in receiver.got) == 1
        gate.set()
        got = await come(receiver, 42)

    by_call = defaultdict(list)
    for one in got:
        by_call[one.event["call_id"]].append(one.seq)
    assert all(seqs == sorted(set(seqs)) for seqs in by_call.values())
    assert [len(by_call[call_id]) for call_id in calls] == [14, 14, 14]


async def test_a_refused_connection_is_tried_again(
    served: Served, run: Run, data: Any, tailing: Start
) -> None:
    await trigger(run, "DEVICE_ONLINE")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ("--forward-to", f"http://127.0.0.1:{port}/hook", "--after", "0", "--json")
    listening = tailing(*data, "webhooks", "listen", *words)
    assert listening.process.stderr
    for awaited in ("events are posted to", "trying again in"):
        line = await asyncio.to_thread(listening.process.stderr.readline)
        assert awaited in line

    async with receiving(port) as receiver:
        await come(receiver, 1)
        shown = await asyncio.to_thread(listening.next)

    assert (shown["status"], shown["attempts"] > 1) == (200, True)


async def test_what_the_url_answers_is_its_answer(
    served: Served, run: Run, data: Any, tailing: Start
) -> None:
    await trigger(run, "call", "--call", "test-1")
    async with receiving() as receiver:
        receiver.manner = says(500)
        words = (*data, "webhooks", "listen", "--forward-to", receiver.url, "--after", "0")
        listening = tailing(*words, "--types", "call.CHANNEL_*.*,call.CALL_ENDED.*", "--json")
        await asyncio.to_thread(listening.process.wait, 60)

    assert "event CHANNEL_* not supported" in listening.end()[2]

    async with receiving() as receiver:
        receiver.manner = says(500)
        words = (*data, "webhooks", "listen", "--forward-to", receiver.url, "--after", "0")
        listening = tailing(*words, "--types", "call.CHANNEL_DESTROY.*,call.CALL_ENDED.*", "--json")
        shown = [await asyncio.to_thread(listening.next) for _ in range(3)]

    assert [(one["status"], one["attempts"], one["type"]) for one in shown] == [
        (500, 1, "CHANNEL_DESTROY"), (500, 1, "CHANNEL_DESTROY"), (500, 1, "CALL_ENDED"),
    ]  # fmt: skip
    assert len(receiver.got) == 3


async def test_a_certificate_can_be_left_unchecked(
    served: Served, run: Run, data: Any, tailing: Start, tmp_path: Path
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate(tmp_path))
    await trigger(run, "DEVICE_ONLINE")
    async with receiving(ssl=tls) as receiver:
        words = ("webhooks", "listen", "--after", "0", "--json", "--forward-to")
        url = receiver.url.replace("http:", "https:")
        checking = tailing(*data, *words, url)
        refusal = await asyncio.to_thread(checking.next)
        trusting = tailing(*data, *words, url, "--skip-verify")
        shown = await asyncio.to_thread(trusting.next)

    assert (refusal["status"], refusal["attempts"]) == (None, 1)
    assert "certificate" in refusal["error"]
    assert (shown["status"], len(receiver.got)) == (200, 1)


def test_the_secret_stays_the_same_and_is_its_owners(
    office: Office, run: Run, config: Path
) -> None:
    office.add_account("other")

    first = secret_of(run, "--account", "acme")

    assert first == secret_of(run, "--account", office.account.account_id)
    assert first != secret_of(run, "--account", "other")
    files = list(config.iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(config.stat().st_mode) == 0o700


def test_a_secret_can_be_given(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = "whsec_" + "QUJD" * 8
    monkeypatch.setenv("TRUNKLINE_WEBHOOK_SECRET", given)

    assert secret_of(run) == given
    assert not config.exists()


def test_a_file_without_a_secret_is_said(office: Office, run: Run, config: Path) -> None:
    secret_of(run)
    [file] = config.iterdir()
    file.write_text("")

    refused(run("webhooks", "listen", "--print-secret"), "delete it")


@pytest.mark.parametrize(
    ("words", "says_"),
    [
        ((), "--forward-to URL"),
        (("--forward-to", "localhost:3000"), "take a URL such as"),
        (("--forward-to", "http://127.0.0.1:9", "--secret", "whsec_abc"), "24 to 64 bytes"),
        (("--forward-to", "http://127.0.0.1:9", "--types", "x"), "--types"),
        (("--forward-to", "http://127.0.0.1:9", "--account", "nobody"), "trunkline account list"),
    ],
)
def test_listen_says_what_is_wrong(run: Run, words: tuple[str, ...], says_: str) -> None:
    result = run("webhooks", "listen", *words)
    refused(result, says_)
    assert "whsec_abc" not in result.output
