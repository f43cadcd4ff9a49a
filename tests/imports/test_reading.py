"""Rows of other phone systems become the records that the same calls would have given here."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.history.imports.formats import FORMATS
from trunkline.history.imports.leg import Unusable
from trunkline.history.imports.source import NotRecognised

from .reading import HCM, SAMPLES, Read, short

T = 1709517600  # 2024-03-04 09:00 in Ho Chi Minh City

ASTERISK = [
    ("101=an", "102=binh", "one_one", "from_ab", "SUCCESS", None, T, 65, 60),
    ("101=an", "0287301955", "trunking", "from_ab", "BUSY", None, T + 600, 9, 0),
    ("0901234567", "102=binh", "trunking", "to_ab", "SUCCESS", None, T + 1200, 132, 120),
    ("0901234568", "s", "trunking", "to_ab", "IVR", None, T + 1800, 31, 0),
    ("101=an", "999", "one_one", "from_ab", "UNSUCCESS", None, T + 2400, 1, 0),
]
KAZOO = [
    ("an1=an", "0287301955", "trunking", "from_ab", "SUCCESS", None, T, 30, 21),
    ("+84901234567", "102=binh", "trunking", "to_ab", "UNSUCCESS", "+842871000000", T + 600, 20, 0),
]
WAZO = [
    ("101=an", "102=binh", "one_one", "from_ab", "SUCCESS", None, T, 65, 60),
    ("101=an", "0287301955", "trunking", "from_ab", "UNSUCCESS", None, T + 600, 20, 0),
    ("0901234567", "102=binh", "trunking", "to_ab", "SUCCESS", "02871000000", T + 1200, 132, 120),
]
EXPECTED = {
    "asterisk.csv": ("asterisk", ASTERISK, [(8, "time_unreadable")]),
    "asterisk-custom.csv": ("asterisk", ASTERISK, [(8, "time_unreadable")]),
    "freepbx.csv": (
        "freepbx",
        [
            ("101=an", "102=binh", "one_one", "from_ab", "SUCCESS", None, T, 65, 60),
            ("101=an", "0287301955", "trunking", "from_ab", "SUCCESS", None, T + 600, 30, 21),
            ("0901111111", "101=an", "trunking", "to_ab", "BUSY", "02871000001", T + 1500, 18, 0),
            ("0901234567", "102=binh", "trunking", "to_ab", "SUCCESS", "02871000000", T + 1200, 120, 92),
        ],
        [(7, "time_missing")],
    ),
    "fusionpbx.csv": (
        "fusionpbx",
        [
            ("101=an", "102=binh", "one_one", "from_ab", "SUCCESS", None, T, 65, 60),
            ("101=an", "0287301955", "trunking", "from_ab", "CANCELLED", None, T + 600, 9, 0),
            ("0901234567", "102=binh", "trunking", "to_ab", "SUCCESS", "02871000000", T + 1200, 132, 118),
            ("0901234568", "*99102", "trunking", "to_ab", "IVR", "02871000000", T + 1800, 40, 0),
        ],
        [(7, "time_unreadable")],
    ),
    "kazoo.csv": ("kazoo", KAZOO, [(6, "duration_unreadable")]),
    "kazoo.json": ("kazoo", KAZOO, [(5, "duration_unreadable")]),
    "wazo.csv": ("wazo", WAZO, [(5, "duration_implausible")]),
    "wazo.json": ("wazo", WAZO, [(4, "duration_implausible")]),
    "histories.json": (
        "histories",
        [
            ("an1=an", "0287301955", "trunking", "from_ab", "SUCCESS", None, T, 30, 21),
            ("0901234567", "gone1=gone", "trunking", "to_ab", "IVR", "02871000000", T + 600, 31, 0),
            ("an1=an", "binh1=binh", "one_one", "from_ab", "CANCELLED", None, T + 900, 8, 0),
        ],
        [(4, "party_missing")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_gives_its_calls_and_says_what_it_skips(name: str) -> None:
    form, records, skipped = EXPECTED[name]

    read = Read((SAMPLES / name).read_bytes())

    assert read.form == form
    assert [short(record) for record in read.records] == records
    assert [(line, skip.reason) for line, skip in read.skipped] == skipped


def test_every_sample_is_tested() -> None:
    assert {file.name for file in SAMPLES.iterdir()} == set(EXPECTED)
    assert {form for form, _, _ in EXPECTED.values()} == set(FORMATS)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_same_file_gives_the_same_ids_and_no_id_twice(name: str) -> None:
    content = (SAMPLES / name).read_bytes()
    once, again = ([record.call_id for record in Read(content).records] for _ in range(2))

    assert once == again
    assert len(set(once)) == len(once)


def test_who_answered_and_when() -> None:
    ring_group = Read((SAMPLES / "asterisk.csv").read_bytes()).records[2]

    assert ring_group.callee.user_id == "u-binh"
    assert ring_group.answered_at == (T + 1212) * 1_000_000
    assert ring_group.ringing_seconds == 12
    assert ring_group.hangup_cause == "NORMAL_CLEARING"


def _freepbx(encoding: str, delimiter: str, shuffled: bool) -> bytes:
    text = (SAMPLES / "freepbx.csv").read_text("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    rows = [[cell.replace("Khach", "Khách") for cell in row] for row in rows]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(
        [row[::-1] for row in rows] if shuffled else rows
    )
    return out.getvalue().encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_delimiter_and_order_of_columns_do_not_matter(
    encoding: str, delimiter: str
) -> None:
    read = Read(_freepbx(encoding, delimiter, shuffled=True))

    assert [short(record) for record in read.records] == EXPECTED["freepbx.csv"][1]
    assert read.records[3].caller.name == "Khách"


def test_a_column_of_another_name_is_mapped() -> None:
    content = (SAMPLES / "freepbx.csv").read_bytes().replace(b"calldate", b"When Called")
    with pytest.raises(NotRecognised, match="--map"):
        Read(content)

    read = Read(content, **{"When Called": "calldate"})

    assert [short(record) for record in read.records] == EXPECTED["freepbx.csv"][1]


def test_a_wrong_format_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(NotRecognised, match=r"as kazoo it lacks the column .*duration_seconds"):
        Read((SAMPLES / "wazo.csv").read_bytes(), "kazoo")


def test_reading_goes_on_after_what_cannot_be_read() -> None:
    good = json.dumps(json.loads((SAMPLES / "histories.json").read_text())[0])
    lines = Read(f'{good}\n{{"caller": \n[1]\n{good}'.encode())
    assert len(lines.records) == 1  # the same call twice
    assert {skip.reason for _, skip in lines.skipped} == {"row_unreadable"}

    head, *rows = (SAMPLES / "freepbx.csv").read_bytes().splitlines(keepends=True)
    endless = b'"2024-03-04 09:00:00";"' + b"x" * 200_000 + b"\r\n"
    table = Read(b"".join([head, rows[0], endless, *rows[1:], b'"1";' * 40 + b"\r\n"]))
    assert len(table.records) >= 3
    assert "row_unreadable" in {skip.reason for _, skip in table.skipped}
    assert table.skipped[-1][1].reason == "columns_differ"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", b"{}", b'{"data": []}'])
def test_nothing_is_read_from_nothing(content: bytes) -> None:
    try:
        assert Read(content).records == []
    except NotRecognised:
        assert content == b"{}"


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.from_regex(r"[0-9]{1,20}(\.[0-9]*)?"),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]{1,12}([+-][0-9]{1,4})?"),
    st.sampled_from(
        ["ANSWERED", "BUSY", "2024-03-04 09:00:00", "1709517600", '"A" <1>', "PJSIP/101-0a", "true"]
    ),
)
values = st.one_of(
    scalars, st.lists(scalars, max_size=2), st.dictionaries(st.text(), scalars, max_size=2)
)
NAMES = sorted(
    {name for form in FORMATS.values() for group in form.needs for name in group}
    | {
        "billsec",
        "answer",
        "dstchannel",
        "did",
        "clid",
        "linkedid",
        "leg",
        "direction",
        "end",
        "class",
    }
    | {"billing_seconds", "interaction_id", "custom_channel_vars", "recordings", "call_id"}
    | {"call_direction", "hangup_cause", "answer_epoch"}
)


@given(
    form=st.sampled_from(sorted(FORMATS)),
    cells=st.dictionaries(st.sampled_from(NAMES), values, max_size=len(NAMES)),
)
def test_a_row_is_read_or_refused_with_a_reason(form: str, cells: dict[str, object]) -> None:
    with contextlib.suppress(Unusable):
        leg = FORMATS[form].read(cells, HCM)
        assert leg.started_at <= leg.ended_at
        assert 0 <= leg.talked <= leg.ended_at - leg.started_at
        leg.call.encode()


@given(content=st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_any_bytes_are_read_or_not_recognised(content: bytes) -> None:
    for beginning in (b"", b"[", (SAMPLES / "wazo.csv").read_bytes(), b'{"data":[{"id":"x'):
        try:
            Read(beginning + content)
        except NotRecognised:
            continue
