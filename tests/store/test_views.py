"""What Asterisk reads: each view gives the right row, and finds it by an index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from store.making import KEY, office
from trunkline.engine.config.contacts import SECRET_TIMEOUT
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.sqlite.connect import connect_reader
from trunkline.work.manage import entries
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.devices import create_device, ha1, set_device
from trunkline.work.manage.music import create_music, use_music
from trunkline.work.manage.numbers import create_number
from trunkline.work.manage.trunks import create_trunk
from trunkline.work.manage.users import create_user

VIEWS = [
    *("ps_endpoints", "ps_auths", "ps_aors", "tl_devices", "tl_phones", "tl_phones_opus"),
    *(
        "tl_callers",
        "tl_rights",
        "tl_dialled",
        "tl_inbound",
        "tl_steps",
        "tl_extensions",
        "tl_dids",
        "tl_music",
    ),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trunkline.db"


@pytest.fixture
def directory(path: Path) -> ManagedDirectory:
    return ManagedDirectory(path, KEY)


@pytest.fixture
def asterisk(path: Path, directory: ManagedDirectory) -> Iterator[sqlite3.Connection]:
    connection = connect_reader(path)
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


def row(connection: sqlite3.Connection, view: str, id_: str) -> dict[str, str] | None:
    found = connection.execute(f"SELECT * FROM {view} WHERE id = ?", (id_,)).fetchall()
    assert len(found) <= 1
    return dict(found[0]) if found else None


@pytest.mark.parametrize("view", VIEWS)
def test_a_row_is_found_by_an_index(asterisk, view):
    plan = asterisk.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE id = 'x'").fetchall()
    steps = [step["detail"] for step in plan]
    assert not any(step.startswith("SCAN") and step != "SCAN r" for step in steps), steps
    assert any(step.startswith("SEARCH") and "INDEX" in step for step in steps), steps
    assert asterisk.execute(f"SELECT * FROM {view} WHERE id = 'x'").fetchall() == []


def test_a_device_can_register(asterisk, path):
    account, _, _ = office(path)
    endpoint, auth, aor = (row(asterisk, view, "an1") for view in VIEWS[:3])
    assert endpoint is not None
    assert (endpoint["aors"], endpoint["auth"], endpoint["context"]) == (
        "an1",
        "an1",
        "from-device",
    )
    assert endpoint["allow"] == "ulaw,alaw"
    assert endpoint["set_var"] == "CHANNEL(hangup_handler_push)=leg-over,s,1"
    assert (endpoint["callerid"], endpoint["accountcode"]) == ('"An" <101>', account.account_id)
    assert auth == {
        "id": "an1",
        "auth_type": "digest",
        "username": "an1",
        "realm": "trunkline",
        "password_digest": "MD5:" + ha1("an1", "trunkline", "pw"),
    }
    assert aor is not None
    assert (aor["max_contacts"], aor["qualify_frequency"], aor["qualify_timeout"]) == (
        "1",
        "5",
        "3.0",
    )
    everything = asterisk.execute("SELECT id FROM ps_aors WHERE qualify_frequency > '0'").fetchall()
    assert [found["id"] for found in everything] == ["an1"]


NO_SRTP = ("no", "no", "")


@pytest.mark.parametrize(
    ("srtp", "secure", "media", "timeout"),
    [
        ("off", False, NO_SRTP, "3.0"),
        ("off", True, NO_SRTP, "3.0"),
        ("optional", False, NO_SRTP, "3.0"),
        ("optional", True, ("sdes", "yes", "tls"), "3.0"),
        ("required", False, ("sdes", "no", "tls"), str(SECRET_TIMEOUT)),
    ],
)
def test_srtp_is_for_tls_alone(asterisk, directory, path, srtp, secure, media, timeout):
    _, _, device = office(path)
    with directory.transaction() as open_:
        assert set_device(open_, device, srtp=srtp).srtp == srtp
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO device_states (device_id, online, secure, changed_at) VALUES (?, 1, ?, 0)",
            (device.device_id, secure),
        )
    for view, allow in (("tl_phones", "ulaw,alaw,g722"), ("tl_phones_opus", "ulaw,alaw,g722,opus")):
        phone = row(asterisk, view, "an1")
        assert phone is not None
        names = ("media_encryption", "media_encryption_optimistic", "transport")
        assert tuple(phone[name] for name in names) == media
        context = "from-device" if srtp == "off" else f"from-device-{srtp}"
        assert (phone["allow"], phone["context"]) == (allow, context)
        # The rest is that of the engine of the version before.
        before, own = row(asterisk, "ps_endpoints", "an1") or {}, {"allow", "context"}
        assert {name: phone[name] for name in before if name not in own} == {
            name: said for name, said in before.items() if name not in own
        }
    aor = row(asterisk, "ps_aors", "an1")
    assert aor is not None
    assert aor["qualify_timeout"] == timeout


@pytest.mark.parametrize("kind", [entries.DeviceEntry, entries.UserEntry, entries.AccountEntry])
def test_what_is_disabled_is_not_there(asterisk, directory, path, kind):
    account, user, device = office(path)
    entry = {entries.DeviceEntry: device, entries.UserEntry: user, entries.AccountEntry: account}[
        kind
    ]
    with directory.transaction() as open_:
        entries.switch(open_, kind, entry, False)
    for view in (*VIEWS[:6], "tl_callers"):
        assert row(asterisk, view, "an1") is None
    extension = row(asterisk, "tl_extensions", f"{account.account_id}:101")
    assert extension is None or (kind is entries.DeviceEntry and extension["dial"] == "")


@pytest.mark.parametrize(
    ("name", "callerid"),
    [
        ('O\'Neil "Bo"', '"O\'Neil \\"Bo\\"" <101>'),
        ("back\\slash", '"back\\\\slash" <101>'),
        ("semi;colon", '"semi,colon" <101>'),
        ("Nguyễn Văn", '"Nguyễn Văn" <101>'),
        ("", '"" <101>'),
    ],
)
def test_no_display_name_breaks_the_caller_id(asterisk, directory, name, callerid):
    with directory.transaction() as open_:
        account = create_account(open_, "acme")
        user = create_user(open_, account, "an", name=name, extension="101")
        create_device(open_, account, user, "an1", realm="r")
    endpoint = row(asterisk, "ps_endpoints", "an1")
    assert endpoint is not None
    assert endpoint["callerid"] == callerid


def test_what_the_dialplan_asks_about_a_device(asterisk, directory):
    with directory.transaction() as open_:
        account = create_account(
            open_, "acme", caller_id="028", allow=["84", "+84"], deny=["8490"], record=False
        )
        user = create_user(open_, account, "an")
        create_device(open_, account, user, "an1", realm="r")
    assert row(asterisk, "tl_devices", "an1") == {
        "id": "an1",
        "account_id": account.account_id,
        "user_id": user.user_id,
        "username": "an",
        "caller_id": "028",
        "allow_regex": "^(84|[+]84)",
        "deny_regex": "^(8490)",
        "record": "",
        "trunk": "",
    }
    with directory.transaction() as open_:
        create_trunk(open_, account, "far", "10.0.0.1", priority=9)
        near = create_trunk(open_, account, "near", "10.0.0.2", priority=1)
    device = row(asterisk, "tl_devices", "an1")
    assert device is not None
    assert device["trunk"] == f"trunk-{near.trunk_id}"


def test_an_account_without_a_policy_may_dial_all(asterisk, path):
    office(path)
    device = row(asterisk, "tl_devices", "an1")
    assert device is not None
    assert (device["allow_regex"], device["deny_regex"], device["record"]) == (".*", "^$", "yes")


def test_a_sandbox_account_has_no_real_trunk(asterisk, directory):
    with directory.transaction() as open_:
        account = create_account(open_, "play", sandbox=True)
        user = create_user(open_, account, "an")
        create_device(open_, account, user, "an1", realm="r")
        real = create_trunk(open_, account, "t", "10.0.0.1", sandbox=True)
    with sqlite3.connect(asterisk.execute("PRAGMA database_list").fetchone()["file"]) as by_hand:
        by_hand.execute("UPDATE trunks SET sandbox = 0 WHERE id = ?", (real.trunk_id,))
    by_hand.close()
    device = row(asterisk, "tl_devices", "an1")
    assert device is not None
    assert device["trunk"] == ""


def test_all_enabled_phones_of_a_user_ring(asterisk, directory, path):
    account, user, first = office(path, sip_user="z1")
    with directory.transaction() as open_:
        for sip_user in ("b2", "a3"):
            create_device(open_, account, user, sip_user, realm="r")
        create_number(open_, account, "+84 28 7301.9555", user.user_id)
    extension = row(asterisk, "tl_extensions", f"{account.account_id}:101")
    did = row(asterisk, "tl_dids", f"{account.account_id}:842873019555")
    assert extension is not None
    assert did is not None
    assert extension["dial"] == did["dial"] == "PJSIP/z1&PJSIP/b2&PJSIP/a3"
    assert did["did"] == "+842873019555"
    with directory.transaction() as open_:
        entries.switch(open_, entries.DeviceEntry, first, False)
    extension = row(asterisk, "tl_extensions", f"{account.account_id}:101")
    assert extension is not None
    assert extension["dial"] == "PJSIP/b2&PJSIP/a3"


def test_the_first_step_is_what_the_old_dialplan_would_have_dialled(asterisk, directory, path):
    account, user, _ = office(path)
    with directory.transaction() as open_:
        create_number(open_, account, "+84287", user.user_id)
    step = {
        "step": user.user_id,
        "kind": "user",
        "arg": "PJSIP/an1",
        "user_id": user.user_id,
        "caller_id": "",
        "record": "yes",
        **dict.fromkeys(("busy", "no_answer", "offline", "next"), ""),
    }
    dialled, did = f"{account.account_id}:101", f"{account.account_id}:84287"
    assert row(asterisk, "tl_dialled", dialled) == {"id": dialled, **step}
    assert row(asterisk, "tl_inbound", did) == {"id": did, "did": "+84287", **step}
    assert row(asterisk, "tl_steps", user.user_id) == {"id": user.user_id, **step}


def test_a_caller_has_the_rights_of_the_account(asterisk, directory):
    with directory.transaction() as open_:
        account = create_account(open_, "acme", caller_id="028", allow=["84"], deny=["849"])
        user = create_user(open_, account, "an", name='An "(x', extension="101")
        create_device(open_, account, user, "an1", realm="r")
        near = create_trunk(open_, account, "near", "10.0.0.2", priority=1)
    rights = {
        "caller_id": "028",
        "allow_regex": "^(84)",
        "deny_regex": "^(849)",
        "record": "yes",
        "routes": f":trunk-{near.trunk_id}:0:",
    }
    assert row(asterisk, "tl_rights", account.account_id) == {"id": account.account_id, **rights}
    caller = row(asterisk, "tl_callers", "an1")
    assert caller is not None
    assert {key: caller[key] for key in rights} == rights
    assert (caller["number"], caller["name"]) == ("101", "An '(x")
    assert list(caller)[-1] == "name"


def test_who_is_held_hears_the_accounts_music_or_the_default(asterisk, directory, path):
    account, _, _ = office(path)
    with directory.transaction() as open_:
        other = create_account(open_, "other")
        for name in "ab":
            create_music(open_, account, name, name * 32, 3)
    endpoint = row(asterisk, "ps_endpoints", "an1")
    assert endpoint is not None
    assert endpoint["moh_suggest"] == account.account_id

    def heard(whose: str) -> str:
        found = row(asterisk, "tl_music", whose)
        assert found is not None
        assert (found["name"], found["mode"]) == (whose, "files")
        return found["directory"]

    assert (heard(account.account_id), heard(other.account_id)) == ("music/" + "b" * 32, "moh")
    with directory.transaction() as open_:
        use_music(open_, account, "a")
    assert heard(account.account_id) == "music/" + "a" * 32
    with directory.transaction() as open_:
        assert use_music(open_, account, "default") is None
    assert heard(account.account_id) == "moh"
