"""calls refold: each record is what its journal says, or it is told; on both databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from db.making import record
from trunkline.cli import app
from trunkline.store.place import core_engine
from trunkline.store.ports.database import Batch

from ..office import CALL, Office, Run, refused


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Any) -> Office:
    """Two finished calls: one from its journal, one without."""
    data = tmp_path / "data"
    data.mkdir()
    place = data / "trunkline.db"
    if request.param == "postgresql":
        place = request.getfixturevalue("postgres_url")
        monkeypatch.setenv("TRUNKLINE_DATABASE", str(place))
    office = Office(data, place)
    office.click()
    office.talk_and_end()
    imported = record("import-1", office.account.account_id)
    office.write(lambda db: db.calls.commit(Batch(finished=[imported])))
    return office


@pytest.fixture
def run(office: Office) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, ["--data", str(office.data), "calls", "refold", *words])

    return invoke


def change(office: Office, statement: str) -> None:
    engine = core_engine(office.place)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_records_that_are_what_their_journals_say(office: Office, run: Run) -> None:
    done = run("--dry-run", "--json")

    assert (done.exit_code, json.loads(done.stdout)) == (
        0,
        {"calls": 2, "alike": 1, "different": 0, "withoutJournal": 1, "differences": []},
    )


def test_a_record_that_is_not_is_told_field_by_field(office: Office, run: Run) -> None:
    change(office, f"UPDATE calls SET billing_seconds = 7, caller_name = 'x' WHERE id = '{CALL}'")

    done = run("--dry-run", "--json", "--account", "acme")
    told = json.loads(done.stdout)
    one = run("--dry-run", CALL)
    other = run("--dry-run", "import-1")

    assert (done.exit_code, told["different"], told["alike"]) == (1, 1, 0)
    assert [(each["callId"], each["field"]) for each in told["differences"]] == [
        (CALL, "caller"), (CALL, "billing_seconds"),
    ]  # fmt: skip
    assert (told["differences"][1]["stored"], told["differences"][1]["refolded"]) == (7, 6)
    assert one.exit_code == 1
    assert "billing_seconds: stored 7, refolded 6" in one.stdout
    assert other.exit_code == 0


def test_what_cannot_be_done_is_refused(office: Office, run: Run) -> None:
    refused(run(), "--dry-run")
    refused(run("--dry-run", "nobody"), "no finished call 'nobody'")
    refused(run("--dry-run", "--account", "nobody"), "no account 'nobody'")
