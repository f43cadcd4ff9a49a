"""An account whose calls are written as a server would write them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import Result

from trunkline.calls import facts as f
from trunkline.calls.fold import fold
from trunkline.calls.outcome import record
from trunkline.events import of_call as announce
from trunkline.events.stored import Announcement
from trunkline.store.directory import AccountEntry, ManagedDirectory
from trunkline.store.place import Place, open_database
from trunkline.store.ports.database import Batch
from trunkline.store.secrets import open_key
from trunkline.work.manage import manage_directory as manage

AT = 1_700_000_000_000_000
SECOND = 1_000_000
CALL = "c" * 32
NAME = f"call_recording_{CALL}.mp3"
Run = Callable[..., Result]
Told = Callable[..., Any]


class Office:
    """An account whose calls are written as a server would write them."""

    def __init__(self, data: Path, place: Place | None = None) -> None:
        self.data = data
        self.file = data / "trunkline.db"
        self.place = place or self.file
        self.key = open_key(data / "secret.key")
        self.account = self.add_account("acme")
        self.call: Any = None

    def add_account(self, name: str) -> AccountEntry:
        with ManagedDirectory(self.place, self.key).transaction() as directory:
            return manage.create_account(directory, name, timezone="Asia/Ho_Chi_Minh")

    def write(self, work: Callable[[Any], Any]) -> None:
        async def write() -> None:
            db = open_database(self.place, self.key)
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
            switch = announce.Node("trunkline", "tl1")
            batch.announcements += [
                announce.announce(self.call, heard, switch, heard.at) for heard in folded.heard
            ]
        if self.call.over:
            batch.closed, batch.finished = [self.call.id], [record(self.call)]
        self.write(lambda db: db.calls.commit(batch))

    def click(self, call_id: str = CALL, client_ref: str | None = None) -> None:
        """An agent has been asked for, and rings."""
        self.happen(
            f.CallRequested(
                call_id=call_id, at=AT, account_id=self.account.account_id, app_id="a" * 32,
                caller=f.Party("an1", username="an"), callee=f.Party("0901234567"),
                class_="trunking", dialled="0901234567", recording=call_id,
                client_ref=client_ref,
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


def refused(result: Result, says: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
