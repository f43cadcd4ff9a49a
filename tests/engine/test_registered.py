"""Who is listed in Asterisk's own database, as Asterisk itself writes to it and reads from it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from store.making import office
from trunkline.engine.config import registered
from trunkline.engine.config.contacts import refuse_steered
from trunkline.store.sqlite.connect import connect_reader

# main/db.c: gettree_stmt, get_stmt, put_stmt
TREE = "SELECT key, value FROM astdb WHERE key || '/' LIKE ? || '/' || '%' ORDER BY key"
GET = "SELECT value FROM astdb WHERE key = ?"
PUT = "INSERT OR REPLACE INTO astdb (key, value) VALUES (?, ?)"


class Astdb:
    """What Asterisk has open."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.start()

    def start(self) -> None:
        refuse_steered(self.file)
        registered.list_registered(self.file)
        self.connection = sqlite3.connect(self.file, isolation_level=None)

    def registers(self, name: str, uri: str = "sip:bob@127.0.0.5") -> None:
        value = json.dumps({"uri": uri, "endpoint": name})
        self.connection.execute(PUT, (f"/registrar/contact/{name};@0", value))

    def unregisters(self, name: str) -> None:
        self.connection.execute(
            "DELETE FROM astdb WHERE key = ?", (f"/registrar/contact/{name};@0",)
        )

    def says(self, command: str) -> None:
        """``database put FAMILY KEY VALUE``."""
        _, _, family, key, value = command.split()
        self.connection.execute(PUT, (f"/{family}/{key}", value))

    def found(self, kind: str = "endpoint") -> dict[str, Any]:
        """What a search finds: a C string ends at its first zero byte."""
        prefix = f"/registered/{kind}"
        rows = self.connection.execute(TREE, (prefix,))
        return {key[len(prefix) + 1 :].split("\0")[0]: json.loads(value) for key, value in rows}

    def later(self) -> None:
        """All the time passes that one is listed."""
        self.connection.execute(f"UPDATE listed SET until = until - {registered.SECONDS + 1}")

    @property
    def missed(self) -> bool:
        key = f"/{registered.FAMILY}/{registered.MISSED}"
        return self.connection.execute(GET, (key,)).fetchone() is not None


@pytest.fixture
def astdb(tmp_path: Path) -> Astdb:
    return Astdb(tmp_path / "astdb.sqlite3")


def test_who_registers_is_found_with_an_aor_and_opened_by_no_name(astdb: Astdb) -> None:
    assert astdb.found() == {}
    astdb.registers("an")
    assert astdb.found() == {"an": {"aors": "an", "identify_by": "ip"}}
    assert list(astdb.found("aor")) == ["an"]


def test_a_look_up_finds_nobody(astdb: Astdb) -> None:
    astdb.registers("an")
    for kind in ("endpoint", "aor"):
        assert astdb.connection.execute(GET, (f"/registered/{kind}/an",)).fetchall() == []


def test_one_that_registered_long_ago_is_found_no_more_and_its_refresh_changes_nothing(
    astdb: Astdb,
) -> None:
    astdb.registers("an")
    astdb.later()
    astdb.registers("binh")
    assert list(astdb.found()) == list(astdb.found("aor")) == ["binh"]
    astdb.registers("an")
    assert list(astdb.found()) == ["binh"]


def test_a_contact_that_is_refused_lists_nobody(astdb: Astdb) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        astdb.registers("an", "sip:an@127.0.0.5;maddr=127.0.0.9")
    assert astdb.found() == {}


def test_for_a_start_and_a_reload_everybody_is_who_has_a_contact(astdb: Astdb) -> None:
    for name in ("an", "binh", "chi"):
        astdb.registers(name)
    astdb.unregisters("chi")
    astdb.later()
    astdb.connection.close()
    astdb.start()
    assert list(astdb.found()) == list(astdb.found("aor")) == ["an", "binh"]
    astdb.says(registered.LIST_NEW)
    assert astdb.found() == {}
    astdb.registers("dung")
    astdb.says(registered.LIST_ALL)
    assert list(astdb.found()) == ["an", "binh", "dung"]
    astdb.registers("em")
    astdb.says(registered.LIST_NEW)
    assert list(astdb.found()) == ["em"]


def test_no_more_are_listed_than_a_search_is_meant_for_and_that_is_told(astdb: Astdb) -> None:
    for number in range(registered.AT_MOST):
        astdb.registers(f"phone{number}")
    assert (len(astdb.found()), astdb.missed) == (registered.AT_MOST, False)
    astdb.registers("one-more")
    assert (len(astdb.found()), astdb.missed) == (registered.AT_MOST, True)
    assert "one-more" in astdb.found()
    assert "phone0" not in astdb.found()


def test_what_was_missed_is_known_until_a_reload_that_found_it_is_done(astdb: Astdb) -> None:
    for number in range(registered.AT_MOST + 1):
        astdb.registers(f"phone{number}")
    astdb.says(registered.LIST_ALL)
    astdb.says(registered.LIST_NEW)  # after a server that was killed amid the reload
    assert astdb.missed
    astdb.says(registered.LIST_ALL)
    for number in range(registered.AT_MOST + 1):
        astdb.registers(f"later{number}")
    astdb.says(registered.RELOADED)
    assert astdb.missed
    astdb.says(registered.LIST_ALL)
    astdb.says(registered.RELOADED)
    assert not astdb.missed


def test_a_busy_minute_takes_nobody_off_the_list_of_all(astdb: Astdb) -> None:
    for number in range(registered.AT_MOST * 2):
        astdb.registers(f"phone{number}")
    astdb.says(registered.LIST_ALL)
    astdb.registers("one-more")
    assert len(astdb.found()) == registered.AT_MOST * 2 + 1


def test_a_search_says_of_an_aor_what_a_look_up_says(astdb: Astdb, tmp_path: Path) -> None:
    office(tmp_path / "trunkline.db")
    looked_up = connect_reader(tmp_path / "trunkline.db").execute(
        "SELECT id, qualify_frequency, qualify_timeout FROM ps_aors LIMIT 1"
    )
    name, *qualified = next(looked_up)
    astdb.registers(name)
    assert list(astdb.found("aor")[name].values()) == qualified
