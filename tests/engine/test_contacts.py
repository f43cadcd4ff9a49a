"""Which contacts the engine's own database takes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from trunkline.engine.config.contacts import SECRET_TIMEOUT, is_secure, refuse_steered

KEY = "/registrar/contact/bob;@0"
PUT = "INSERT OR REPLACE INTO astdb (key, value) VALUES (?, ?)"


def contact(uri: str, timeout: float = 3.0) -> str:
    return json.dumps({"user_agent": "maddr=? ;%", "uri": uri, "qualify_timeout": f"{timeout:f}"})


@pytest.fixture
def astdb(tmp_path: Path) -> sqlite3.Connection:
    file = tmp_path / "astdb.sqlite3"
    refuse_steered(file)
    return sqlite3.connect(file)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@127.0.0.5:5061;maddr=127.0.0.9",
        "sip:bob@127.0.0.5;x=1;MADDR=127.0.0.9;ob",
        "sip:bob@127.0.0.5;ma%64dr=127.0.0.9",
        "sip:bob@127.0.0.5?Route=%3csip:127.0.0.9%3blr%3e",
        "sip:127.0.0.5;maddr=127.0.0.9",
    ],
)
def test_a_contact_that_leads_elsewhere_is_not_taken(astdb: sqlite3.Connection, uri: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="leads to another host"):
        astdb.execute(PUT, (KEY, contact(uri)))
    astdb.execute(PUT, (KEY, contact("sip:bob@127.0.0.5")))
    with pytest.raises(sqlite3.IntegrityError):
        astdb.execute(PUT, (KEY, contact(uri)))
    assert astdb.execute("SELECT value FROM astdb").fetchall() == [(contact("sip:bob@127.0.0.5"),)]


@pytest.mark.parametrize("transport", ["", ";transport=TCP", ";transport=udp;x=tls"])
def test_one_that_has_to_come_over_tls_is_not_taken_without(
    astdb: sqlite3.Connection, transport: str
) -> None:
    uri = f"sip:bob@127.0.0.5:5061{transport}"
    with pytest.raises(sqlite3.IntegrityError, match="over TLS"):
        astdb.execute(PUT, (KEY, contact(uri, SECRET_TIMEOUT)))
    assert not is_secure(uri)
    uri = "sip:bob@127.0.0.5:5061;transport=TLS;ob"
    astdb.execute(PUT, (KEY, contact(uri, SECRET_TIMEOUT)))
    assert is_secure(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@127.0.0.5:5061",
        "sip:b%c3%a9@127.0.0.5:5061;transport=tcp;x-ast-orig-host=10.0.0.1:5060",
        "sip:bob@[::1]:5060;ob",
        "sips:bob@127.0.0.5",
    ],
)
def test_every_other_one_is_taken(astdb: sqlite3.Connection, uri: str) -> None:
    astdb.execute(PUT, (KEY, contact(uri)))
    assert astdb.execute("SELECT count(*) FROM astdb").fetchone() == (1,)


def test_what_an_older_release_kept_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "astdb.sqlite3"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE astdb(key TEXT, value TEXT, PRIMARY KEY(key))")
    rows = [
        (KEY, contact("sip:bob@127.0.0.5;maddr=127.0.0.9")),
        ("/registrar/contact/an;@1", contact("sip:an@127.0.0.5")),
        ("/registrar/contact/no;@2", "no JSON"),
        ("/other/maddr=", "maddr=;%?"),
    ]
    with connection:
        connection.executemany(PUT, rows)
    refuse_steered(file)
    refuse_steered(file)
    assert connection.execute("SELECT * FROM astdb ORDER BY key").fetchall() == [rows[3], rows[1]]
