"""trunkline key."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from trunkline.directory.api_keys import key_hash

from ..office import Office, Run, Told


@pytest.fixture(autouse=True)
def account(told: Told) -> str:
    return str(told("account", "show", "acme")["accountId"])


def test_a_key_is_shown_once_and_stored_hashed(office: Office, told: Told, account: str) -> None:
    made = told("key", "create", "crm", "--account", "acme", "--scopes", "keys:read,events:read")
    key = made.pop("key")
    assert re.fullmatch(r"tlk_[A-Za-z0-9_-]{43}", key)
    assert made == {
        "keyId": made["keyId"],
        "accountId": account,
        "name": "crm",
        "prefix": key[:12],
        "scopes": ["events:read", "keys:read"],
        "allowedAddresses": [],
        "createdAt": made["createdAt"],
        "expiresAt": None,
        "lastUsedAt": None,
        "revoked": False,
    }
    assert told("key", "list") == told("key", "list", "--account", "acme") == [made]
    with closing(sqlite3.connect(office.data / "trunkline.db")) as connection:
        (row,) = connection.execute("SELECT * FROM api_keys").fetchall()
    assert key_hash(key) in row
    assert key[12:] not in repr(row)


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("90d", 2160), ("4w", 672)])
def test_a_key_may_have_an_end(told: Told, text: str, hours: int) -> None:
    before = datetime.now(UTC)
    made = told(
        "key", "create", "k", "--account", "acme", "--scopes", "events:read", "--expires", text
    )
    ends = datetime.fromisoformat(made["expiresAt"]) - timedelta(hours=hours)
    assert before - timedelta(seconds=1) <= ends <= datetime.now(UTC)


def test_a_key_may_be_bound_to_addresses(told: Told) -> None:
    made = told(
        "key", "create", "k", "--account", "acme", "--scopes", "events:read",
        "--from", "203.0.113.7, 10.0.0.0/8",
    )  # fmt: skip
    assert made["allowedAddresses"] == ["203.0.113.7", "10.0.0.0/8"]


@pytest.mark.parametrize("by", ["keyId", "prefix", "name"])
def test_a_key_is_revoked_for_good(told: Told, run: Run, by: str) -> None:
    made = told("key", "create", "crm", "--account", "acme", "--scopes", "events:read")
    assert told("key", "revoke", made[by])["revoked"] is True
    assert told("key", "revoke", made[by])["revoked"] is True
    assert [key["revoked"] for key in told("key", "list")] == [True]
    assert run("key", "enable", made["keyId"]).exit_code == 2


def test_a_key_is_replaced_under_its_name(told: Told, run: Run) -> None:
    words = ("key", "create", "crm", "--account", "acme", "--scopes", "events:read")
    old, new = told(*words), told(*words)
    unclear = run("key", "revoke", "crm")
    assert unclear.exit_code == 1
    assert "say which one by its id" in unclear.stderr
    told("key", "revoke", old["prefix"])
    assert told("key", "revoke", "crm")["keyId"] == new["keyId"]


def test_another_accounts_key_is_not_found(told: Told, run: Run) -> None:
    told("account", "create", "neighbour")
    made = told("key", "create", "crm", "--account", "acme", "--scopes", "events:read")
    for wanted in (made["keyId"], made["prefix"], "crm"):
        result = run("key", "revoke", wanted, "--account", "neighbour")
        assert (result.exit_code, "there is no key" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--scopes", "events:write"),
            "there is no scope 'events:write': take some of events:read",
        ),
        (("--scopes", ","), "a key needs scopes"),
        (("--scopes", "events:read", "--expires", "1y"), "such as 90d"),
        (("--scopes", "events:read", "--expires", "0d"), "such as 90d"),
        (("--scopes", "events:read", "--from", "here"), "--from"),
        (("--scopes", "events:read", "--account", "nobody"), "there is no account 'nobody'"),
    ],
)
def test_what_cannot_be_is_said(run: Run, told: Told, words: tuple[str, ...], says: str) -> None:
    account = () if "--account" in words else ("--account", "acme")
    result = run("key", "create", "k", *account, *words)
    assert result.exit_code == 1
    assert says in result.stderr
    assert told("key", "list") == []
