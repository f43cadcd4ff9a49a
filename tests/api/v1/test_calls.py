"""GET /v1/calls and what belongs to it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import httpx
import msgspec
import pytest

from store.making import AT, announcement, ended, record, requested, started
from trunkline.api.application import build_api
from trunkline.api.v1.call_export import CHUNK
from trunkline.calls.facts import CallMerged, Party
from trunkline.sip.message import SipMessage, SipPart
from trunkline.store.ports.database import Batch
from trunkline.work.manage.accounts import create_account

from .conftest import Office, problem_of

SECOND = 1_000_000


async def finish(office: Office, call_id: str, n: int = 0, **more: Any) -> None:
    made = record(call_id, office.account.account_id, AT + n * SECOND, **more)
    await office.db.calls.commit(Batch(finished=[made]))


async def ids(client: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"/v1/calls?{query}")
    assert answer.status_code == 200, answer.text
    return [call["call_id"] for call in answer.json()["calls"]]


async def test_a_call_in_the_list(office: Office, client: httpx.AsyncClient) -> None:
    await finish(office, "c1", trunk="trunk-t1", client_ref="order 7")
    page = (await client.get("/v1/calls")).json()
    (call,) = page.pop("calls")
    assert page == {"next": None, "total": 1, "next_updated_after": None}
    assert call == {
        "call_id": "c1",
        "class": "trunking",
        "direction": "from_ab",
        "status_detail": "SUCCESS",
        "hangup_cause": "NORMAL_CLEARING",
        "caller": {"number": "an1", "username": "an", "name": "An"},
        "callee": {"number": "02873019555", "username": None, "name": ""},
        "did_number": None,
        "started_at": "2023-11-14T22:13:20.000Z",
        "answered_at": "2023-11-14T22:13:23.000Z",
        "ended_at": "2023-11-14T22:13:29.000Z",
        "duration_seconds": 9,
        "billing_seconds": 6,
        "ringing_seconds": 2,
        "recording": None,
        "client_ref": "order 7",
        "trunk": "t1",
        "engine_died": False,
        "merged_into": None,
        "note": "",
        "tags": [],
        "update": 1,
        "hold": False,
    }


async def test_pages_neither_miss_nor_repeat(office: Office, client: httpx.AsyncClient) -> None:
    for n in range(25):
        await finish(office, f"c{n:02}", n // 3)  # some start at the same time
    whole = await ids(client)
    assert len(whole) == 25
    url, read, total = "/v1/calls?limit=4&user=an&fields=call_id", [], None
    while url:
        answer = await client.get(url)
        read += answer.json()["calls"]
        url = answer.links.get("next", {}).get("url", "")
        assert bool(url) == (answer.json()["next"] is not None)
    assert [call["call_id"] for call in read] == whole
    first = (await client.get("/v1/calls?limit=4")).json()
    await finish(office, "later", 100)
    again = (await client.get("/v1/calls", params={"cursor": first["next"], "limit": 4})).json()
    assert [call["call_id"] for call in again["calls"]] == whole[4:8]
    assert again["total"] == 26
    assert total is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("number=%2B84%2028-7301.9555", ["sales"]),
        ("number=8428*", ["sales"]),
        ("number=0287*", []),
        ("number=AN1", ["inside"]),
        ("user=AN", ["inside"]),
        ("user=a", []),
        ("did=%2B842871", ["sales"]),
        ("did=8428*", ["sales"]),
        ("trunk=t1", ["sales"]),
        ("trunk=trunk-t1", ["sales"]),
        ("client_ref=crm-7", ["sales"]),
        ("call_id=inside", ["inside"]),
        ("call_id=none", []),
        ("q=nguyen", ["sales"]),
        ("q=NGUY%E1%BB%84N%20d", ["sales"]),
        ("q=crm", ["sales"]),
        ("q=%2B84%2028", ["sales"]),
        ("q=guyen", []),
        ("q=an", ["inside"]),
        ("q=nguyen%20an1", []),
        ("class=one_one", ["inside"]),
        ("direction=to_ab", ["sales"]),
        ("status=BUSY,CANCELLED", ["sales"]),
        ("status=BUSY&user=an", []),
        ("user=an&number=101", ["inside"]),
        ("user=an&did=842871", []),
        ("duration_min=10", ["sales"]),
        ("duration_max=9", ["inside"]),
        ("billing_min=1", ["inside"]),
        ("billing_max=0", ["sales"]),
        ("has_recording=true", ["inside"]),
        ("has_recording=false", ["sales"]),
        ("has_recording=true&number=8428*", []),
        ("started_after=2023-11-14T22:13:21Z", ["sales"]),
        ("started_before=2023-11-15T05:13:21%2B07:00", ["inside"]),
        ("started_after=2023-11-14T22:13:20Z&started_before=2023-11-14T22:13:20Z", []),
    ],
)
async def test_filters(
    office: Office, client: httpx.AsyncClient, query: str, found: list[str]
) -> None:
    await finish(
        office,
        "inside",
        0,
        class_="one_one",
        callee=Party("101", username="binh", name="Binh"),
        recording="call_recording_1.mp3",
    )
    await finish(
        office,
        "sales",
        1,
        direction="to_ab",
        caller=Party("+842873019555", name="Nguyễn Đức"),
        callee=Party("102"),
        did_number="842871",
        trunk="trunk-t1",
        client_ref="CRM-7",
        status_detail="BUSY",
        duration_seconds=70,
        billing_seconds=0,
    )
    assert await ids(client, query) == found
    page = (await client.get(f"/v1/calls?{query}")).json()
    assert (page["total"] is None) == (not query.startswith("started"))
    assert await ids(client, f"{query}&updated_after=0") == found

    # a database of before the index gives the same
    async def unindex(connection: Any) -> None:
        connection.execute("INSERT INTO meta VALUES ('calls_indexed_to', '[\"\",0,\"\"]')")

    await office.db._writer.run(unindex)
    assert await ids(client, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "q=%2E%2E", "q=", "fields=nothing", "started_after=yesterday", "status=FINE", "limit=0",
        "started_after=2023-11-14T22:13:20", "started_before=2023-02-30T00:00:00Z",
        "started_before=2023-11-14T22:13:20%207:00", "has_recording=maybe", "duration_min=-1",
        "colour=red", "q=a%20b%20c%20d%20e%20f%20g%20h%20i", "updated_after=-1",
    ],
)  # fmt: skip
async def test_bad_parameters(client: httpx.AsyncClient, query: str) -> None:
    assert problem_of(await client.get(f"/v1/calls?{query}")) == (400, "parameters_invalid")


async def test_a_cursor_is_of_its_list(office: Office, client: httpx.AsyncClient) -> None:
    for n in range(3):
        await finish(office, f"c{n}", n)
    cursor = (await client.get("/v1/calls?limit=1")).json()["next"]
    wrong = await client.get("/v1/calls", params={"cursor": cursor, "updated_after": 0})
    assert problem_of(wrong) == (400, "cursor_invalid")


async def test_another_accounts_calls_are_not_there(
    office: Office, client: httpx.AsyncClient
) -> None:
    other = office.change(lambda d: create_account(d, "other"))
    made = record("theirs", other.account_id)
    await office.db.calls.commit(Batch(finished=[made]))
    assert await ids(client) == []
    for query in ("call_id=theirs", "user=an", "updated_after=0"):
        assert await ids(client, query) == []
    assert problem_of(await client.get("/v1/calls/theirs")) == (404, "not_found")
    answer = await client.patch("/v1/calls/theirs", json={"note": "mine"})
    assert problem_of(answer) == (404, "not_found")


async def test_changes_are_followed(office: Office, client: httpx.AsyncClient) -> None:
    for n in range(5):
        await finish(office, f"c{n}", -n)  # later ones started earlier
    after, seen = 0, []
    for _ in range(3):
        page = (await client.get(f"/v1/calls?updated_after={after}&limit=2")).json()
        seen += [call["call_id"] for call in page["calls"]]
        after = page["next_updated_after"]
    assert seen == ["c0", "c1", "c2", "c3", "c4"]
    assert page["next"] is None
    assert (await client.patch("/v1/calls/c1", json={"tags": ["vip"]})).status_code == 200
    page = (await client.get(f"/v1/calls?updated_after={after}")).json()
    assert [call["call_id"] for call in page["calls"]] == ["c1"]
    assert page["calls"][0]["update"] == page["next_updated_after"]
    everything = await ids(client, "updated_after=0")
    assert everything == ["c0", "c2", "c3", "c4", "c1"]
    beyond = (await client.get("/v1/calls?updated_after=9007199254740991")).json()
    assert (beyond["calls"], beyond["next_updated_after"]) == ([], 9007199254740991)


async def test_a_finished_recording_is_a_change(office: Office, client: httpx.AsyncClient) -> None:
    await finish(office, "c1", recording="call_recording_1.mp3")
    told = announcement(office.account.account_id, call_id="c1")
    await office.db.recordings.claim("call_recording_1.mp3", "w", AT, AT + 9)
    await office.db.recordings.done("call_recording_1.mp3", "w", 1234, 6.5, told)
    page = (await client.get("/v1/calls?updated_after=1")).json()
    assert [call["update"] for call in page["calls"]] == [2]
    answer = (await client.get("/v1/calls/c1")).json()
    file = answer["recording_file"]
    assert (file["status"], file["bytes"], file["seconds"]) == ("ready", 1234, 6.5)
    assert file["url"].startswith("http://phone.test/recordings/call_recording_1.mp3?expires=")
    async with office.client(office.key("calls:read")) as narrow:
        bare = (await narrow.get("/v1/calls/c1")).json()
    assert (bare["recording_file"], bare["events"], bare["webhook_deliveries"]) == (None,) * 3


async def test_notes_and_tags(office: Office, client: httpx.AsyncClient) -> None:
    await finish(office, "c1")
    key = {"Idempotency-Key": "once"}
    body = {"note": "Rückruf am Montag", "add_tags": ["VIP", "follow up"]}
    answer = await client.patch("/v1/calls/c1", json=body, headers=key)
    assert answer.status_code == 200
    call = answer.json()
    assert (call["note"], call["tags"]) == ("Rückruf am Montag", ["VIP", "follow up"])
    again = await client.patch("/v1/calls/c1", json=body, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == call
    assert await ids(client, "tag=vip") == ["c1"]
    assert await ids(client, "q=ruckruf%20foll") == ["c1"]
    same = (await client.patch("/v1/calls/c1", json={"add_tags": ["VIP"]})).json()
    assert same["update"] == call["update"]  # nothing has changed
    less = await client.patch("/v1/calls/c1", json={"remove_tags": ["VIP"], "note": ""})
    assert (less.json()["tags"], less.json()["note"]) == (["follow up"], "")
    assert await ids(client, "tag=vip") == []
    assert await ids(client, "q=ruckruf") == []
    assert (await client.patch("/v1/calls/c1", json={"tags": ["a", "b"]})).json()["tags"] == [
        "a",
        "b",
    ]
    assert (await client.get("/v1/calls/c1")).json()["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    "body",
    [
        {"tags": ["a,b"]}, {"tags": [""]}, {"tags": [" a"]}, {"add_tags": ["x" * 51]},
        {"note": "x" * 2001}, {"note": "\0"}, {"tags": [f"t{n}" for n in range(21)]},
        {"remark": "x"}, [],
    ],
)  # fmt: skip
async def test_bad_marks(office: Office, client: httpx.AsyncClient, body: Any) -> None:
    await finish(office, "c1")
    assert problem_of(await client.patch("/v1/calls/c1", json=body)) == (400, "body_invalid")


async def test_a_call_has_at_most_twenty_tags(office: Office, client: httpx.AsyncClient) -> None:
    await finish(office, "c1")
    tags = [f"t{n}" for n in range(20)]
    assert (await client.patch("/v1/calls/c1", json={"tags": tags})).status_code == 200
    more = await client.patch("/v1/calls/c1", json={"add_tags": ["one more"]})
    assert problem_of(more) == (400, "body_invalid")
    swapped = {"add_tags": ["one more"], "remove_tags": ["t0"]}
    assert (await client.patch("/v1/calls/c1", json=swapped)).json()["tags"][-1] == "one more"


async def test_legal_hold(office: Office, client: httpx.AsyncClient) -> None:
    for n in range(3):
        await finish(office, f"c{n}", n, recording=f"call_recording_c{n}.mp3")
    held = (await client.patch("/v1/calls/c1", json={"hold": True})).json()
    assert (held["hold"], held["update"]) == (True, 4)
    assert (await client.get("/v1/calls/c1")).json()["hold"] is True
    assert await ids(client, "hold=true") == ["c1"]
    assert await ids(client, "hold=false") == ["c2", "c0"]
    assert await ids(client, "hold=true&updated_after=0") == ["c1"]
    lines = (await client.get("/v1/calls/export?hold=true")).text.splitlines()
    assert lines[1].endswith('"true"')
    for kind in ("recordings", "calls"):
        await office.db.retention.delete(office.account.account_id, kind, AT * 2, None, 9, AT)
    assert await ids(client) == ["c1"]
    assert problem_of(await client.get("/v1/calls/c0")) == (404, "not_found")
    noted = (await client.patch("/v1/calls/c1", json={"note": "x"})).json()
    assert (noted["hold"], noted["recording"]) == (True, "call_recording_c1.mp3")
    assert (await client.patch("/v1/calls/c1", json={"hold": False})).json()["hold"] is False
    wrong = await client.patch("/v1/calls/c1", json={"hold": "yes"})
    assert problem_of(wrong) == (400, "body_invalid")
    assert await ids(client, "hold=true") == []


async def test_a_key_may_only_do_what_its_scopes_say(office: Office) -> None:
    await finish(office, "c1")
    async with office.client(office.key("calls:read")) as reader:
        assert problem_of(await reader.patch("/v1/calls/c1", json={})) == (403, "scope_missing")
    async with office.client(office.key("events:read")) as other:
        for path in ("/v1/calls", "/v1/calls/c1", "/v1/calls/export"):
            assert problem_of(await other.get(path)) == (403, "scope_missing")


async def test_a_live_call(office: Office, client: httpx.AsyncClient) -> None:
    account_id = office.account.account_id
    facts = [requested("c1", account_id), started("c1", account_id)]
    told = [announcement(account_id, call_id="c1")]
    await office.db.calls.commit(
        Batch(facts=facts, announcements=told, opened=[("c1", account_id, AT)])
    )
    call = (await client.get("/v1/calls/c1")).json()
    assert (call["live"], call["status"], call["ended_at"]) == (True, "started", None)
    assert call["caller"] == {"number": "an1", "username": "an", "name": ""}
    assert [leg["endpoint"] for leg in call["legs"]] == ["an1"]
    assert [event["seq"] for event in call["events"]] == [1]
    marked = await client.patch("/v1/calls/c1", json={"note": "x"})
    assert problem_of(marked) == (409, "call_live")
    await office.db.calls.commit(
        Batch(facts=[ended("c1")], finished=[record("c1", account_id)], closed=["c1"])
    )
    call = (await client.get("/v1/calls/c1")).json()
    assert (call["live"], call["status"], call["status_detail"]) == (False, "ended", "SUCCESS")
    assert [leg["endpoint"] for leg in call["legs"]] == ["an1"]


async def exported(client: httpx.AsyncClient, query: str) -> httpx.Response:
    answer = await client.get(f"/v1/calls/export?{query}")
    assert answer.status_code == 200, answer.text
    return answer


async def test_csv_is_safe_in_a_spreadsheet(office: Office, client: httpx.AsyncClient) -> None:
    await finish(office, "c1", callee=Party("+84901234567", name='=cmd|"/c calc"!A0'))
    await finish(office, "c2", 1, caller=Party("@x", name="\tx"), callee=Party("-1", name="a,b\nc"))
    answer = await exported(client, "format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "calls.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["call_id"] for row in rows] == ["c2", "c1"]
    assert rows[1]["callee_number"] == "'+84901234567"
    assert rows[1]["callee_name"] == '\'=cmd|"/c calc"!A0'
    assert (rows[0]["caller_number"], rows[0]["caller_name"]) == ("'@x", "'\tx")
    assert (rows[0]["callee_number"], rows[0]["callee_name"]) == ("'-1", "a,b\nc")
    assert rows[0]["duration_seconds"] == "9"


async def test_an_export_of_many_chunks(office: Office, client: httpx.AsyncClient) -> None:
    account_id = office.account.account_id
    await office.db.calls.commit(
        Batch(finished=[record(f"c{n:04}", account_id, AT + n) for n in range(1203)])
    )
    lines = (await exported(client, "format=jsonl")).text.splitlines()
    assert [json.loads(line)["call_id"] for line in lines] == [
        f"c{n:04}" for n in range(1202, -1, -1)
    ]
    listed = (await client.get("/v1/calls?limit=1")).json()["calls"][0]
    assert json.loads(lines[0]) == listed
    few = (await exported(client, "format=jsonl&number=101&user=an")).text
    assert few == ""
    head = await client.head("/v1/calls/export?format=csv")
    assert (head.status_code, head.content) == (200, b"")


async def test_parquet(office: Office, client: httpx.AsyncClient) -> None:
    from pyarrow import parquet

    await finish(office, "c1", answered_at=None)
    await finish(office, "c2", 1)
    await client.patch("/v1/calls/c2", json={"tags": ["a", "b"]})
    answer = await exported(client, "format=parquet")
    rows = parquet.read_table(io.BytesIO(answer.content)).to_pylist()
    assert [row["call_id"] for row in rows] == ["c2", "c1"]
    assert rows[0]["tags"] == ["a", "b"]
    assert rows[1]["answered_at"] is None
    assert rows[1]["started_at"].isoformat() == "2023-11-14T22:13:20+00:00"


async def test_an_export_ends_when_the_client_is_gone(office: Office) -> None:
    account_id = office.account.account_id
    await office.db.calls.commit(
        Batch(finished=[record(f"c{n:04}", account_id, AT + n) for n in range(3 * CHUNK)])
    )
    sent: list[bytes] = []
    gone = asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if message.get("body"):
            gone.set()
            await asyncio.sleep(0.01)

    scope: Any = {
        "type": "http", "method": "GET", "path": "/v1/calls/export", "raw_path": b"/v1/calls/export",
        "query_string": b"format=jsonl", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(b"host", b"x"), (b"authorization", f"Bearer {office.key()}".encode())],
        "client": ("192.0.2.7", 1), "server": ("x", 80), "state": {}, "app": None,
    }  # fmt: skip
    await build_api(office.deps())(scope, receive, send)
    assert b"".join(sent).count(b"\n") == CHUNK


async def test_a_call_has_its_sip_messages(office: Office, client: httpx.AsyncClient) -> None:
    await finish(office, "c1")
    owner = office.account.account_id
    merged = CallMerged(call_id="c1", at=AT, other_call_id="c0", facts=())
    await office.db.calls.commit(Batch(facts=[started("c1", owner), merged]))
    invite = SipMessage(
        leg_id="c1", at=AT, sent=False, source="198.51.100.7:5062", destination="192.0.2.1:5060",
        transport="tls", method="INVITE", status=None, reason="", cseq="7 INVITE", text="INVITE …",
    )  # fmt: skip
    busy = msgspec.structs.replace(
        invite, at=AT + 2000, sent=True, method=None, status=486, reason="Busy Here"
    )
    for account_id, call_id, message in (
        (owner, "c1", busy), (owner, "c0", invite), ("x" * 32, "c1", invite),
    ):  # fmt: skip
        part = SipPart(account_id=account_id, call_id=call_id, stored_at=AT, messages=(message,))
        await office.db.sip_messages.add([part])
    call = (await client.get("/v1/calls/c1")).json()
    assert call["more_sip_messages"] is False
    assert call["sip_messages"] == [
        {
            "leg_id": "c1", "at": "2023-11-14T22:13:20.000Z", "direction": "received",
            "source": "198.51.100.7:5062", "destination": "192.0.2.1:5060", "transport": "tls",
            "method": "INVITE", "status": None, "reason": "", "cseq": "7 INVITE", "text": "INVITE …",
        },
        {
            "leg_id": "c1", "at": "2023-11-14T22:13:20.002Z", "direction": "sent",
            "source": "198.51.100.7:5062", "destination": "192.0.2.1:5060", "transport": "tls",
            "method": None, "status": 486, "reason": "Busy Here", "cseq": "7 INVITE", "text": "INVITE …",
        },
    ]  # fmt: skip
