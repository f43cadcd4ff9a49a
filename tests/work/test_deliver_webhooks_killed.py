"""Webhooks are delivered by a process that is killed again and again, to a receiver in a bad way."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from at_once import at_once
from webhooks.receiver import Got, Receiver, hangs, receiving, resets, says

from .webhook_office import WebhookOffice, until

EVENTS = 25
"""Each life stores so many."""
SECONDS = 20
"""There are as many lives as fit in."""
LINES = 12_000
"""About as many are run for the events of a life."""


class Moody:
    """Answers 500, hangs, resets, redirects, or takes it; what it took is in ``took``."""

    def __init__(self, receiver: Receiver) -> None:
        self._chance = random.Random(23)
        self._receiver = receiver
        self.took: set[str] = set()
        self.well = False

    async def __call__(self, got: Got, writer: asyncio.StreamWriter) -> None:
        bad = [says(500), hangs, resets, says(302, location=self._receiver.url)]
        if not self.well and self._chance.random() < 0.3:
            await self._chance.choice(bad)(got, writer)
            return
        self.took.add(got.id)
        await says(200)(got, writer)


async def test_every_event_arrives_in_the_order_of_its_call(tmp_path: Path) -> None:
    office = WebhookOffice(tmp_path / "trunkline.db")
    chance, began, lives = random.Random(7), time.monotonic(), 0
    async with receiving() as receiver:
        receiver.manner = moody = Moody(receiver)
        _, secret = await office.webhook(receiver.url)
        await office.db.close()
        while time.monotonic() - began < SECONDS:
            async with worker(office, EVENTS, chance.randrange(1, LINES)) as process:
                await killed(process)
            lives += 1
        office.open()
        newest = (await office.db.events.bounds(office.account_id))[1]
        moody.well = True
        async with worker(office, 0):
            await until(office.through, "the end", timeout=60)
    assert lives > 3
    ids = [f"evt_{office.account_id}_{seq}" for seq in range(1, newest + 1)]
    assert {got.id for got in receiver.got} == moody.took == set(ids)
    check(receiver.got, secret)
    await office.db.close()


async def test_a_receiver_that_comes_back_after_the_sender_was_killed(tmp_path: Path) -> None:
    office = WebhookOffice(tmp_path / "trunkline.db")
    async with receiving() as receiver:
        port, url = receiver.port, receiver.url
        _, secret = await office.webhook(url)
        await office.calls(30, calls=5)
        receiver.manner = hangs
        async with worker(office, 0) as process:
            await until(lambda: receiver.got)
            process.kill()
    came = list(receiver.got)
    async with worker(office, 0) as process:  # nobody listens now
        await until(lambda: attempts(office) > 3)
        process.kill()
    async with receiving(port) as receiver, worker(office, 0):
        await until(office.through)
    came += receiver.got
    assert {got.seq for got in came} == set(range(1, 31))
    check(came, secret)
    await office.db.close()


async def killed(process: Process) -> None:
    """By itself, or by us when it has nothing left to run."""
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
    assert await process.wait() == -signal.SIGKILL


def check(came: list[Got], secret: str) -> None:
    """Duplicates are identical, all are signed, and no call's numbers ever go back."""
    bodies, calls = defaultdict(set), defaultdict(list)
    for got in came:
        bodies[got.id].add(got.body)
        calls[got.event["call_id"]].append(got.seq)
        got.verify(secret)
    assert {len(each) for each in bodies.values()} == {1}
    for numbers in calls.values():
        assert numbers == sorted(numbers)


def attempts(office: WebhookOffice) -> int:
    (webhook,) = at_once(office.db.webhooks.active(office.account_id))
    return webhook.failures


@asynccontextmanager
async def worker(office: WebhookOffice, events: int, lines: int = 0) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "work.delivering_worker", str(office.path), office.account_id),
        *(str(events), str(lines)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
