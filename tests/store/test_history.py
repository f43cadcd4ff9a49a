"""Any page of history is what the plain query gives, and the counts are what the rows say."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.making import record
from trunkline.store.common.spans import DAY, HOUR, MINUTE, WIDTHS, cover
from trunkline.store.sqlite.connect import connect_writer
from trunkline.store.sqlite.finished_calls import write_call
from trunkline.store.sqlite.pages import read_page
from trunkline.store.sqlite.queries import driven
from trunkline.store.sqlite.schema import upgrade

T0 = 1_700_000_000 * 1_000_000

moments = st.one_of(
    st.integers(0, 40 * DAY),
    st.sampled_from([MINUTE, HOUR, DAY]).flatmap(
        lambda width: st.builds(
            lambda n, d: n * width + d,
            st.integers(0, 40 * DAY // width),
            st.sampled_from([-1, 0, 1]),
        )
    ),
    st.integers(0, 3 * MINUTE),
).map(lambda moment: T0 // DAY * DAY + moment)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path = tmp_path_factory.mktemp("history") / "h.db"
    upgrade(path)
    return connect_writer(path)


def plain(connection, account, low, high, limit, page):
    where = "account_id = ? AND started_at >= ? AND started_at < ?"
    total = connection.execute(
        f"SELECT count(*) FROM calls WHERE {where}", (account, low, high)
    ).fetchone()[0]
    rows = connection.execute(
        f"SELECT id FROM calls WHERE {where} ORDER BY started_at DESC, id DESC LIMIT ? OFFSET ?",
        (account, low, high, limit, (page - 1) * limit),
    )
    return total, [call_id for (call_id,) in rows]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    starts=st.lists(moments, max_size=60),
    twice=st.booleans(),
    windows=st.lists(
        st.tuples(moments, moments, st.integers(1, 100), st.integers(1, 70)), min_size=1, max_size=8
    ),
)
def test_a_page_is_what_the_plain_query_gives(connection, starts, twice, windows):
    connection.execute("BEGIN")
    try:
        for n, started_at in enumerate(starts * (1 + twice)):
            assert driven(write_call(connection, record(f"c{n}", "acme", started_at), 0))
            assert driven(write_call(connection, record(f"o{n}", "other", started_at), 0))
            assert not driven(write_call(connection, record(f"c{n}", "acme", started_at + 1), 0))
        for start, end, limit, page in windows:
            found = driven(read_page(connection, "acme", start, end, limit, page))
            got = (found.total, [row.call_id for row in found.rows])
            assert got == plain(connection, "acme", start, end, limit, page)
        for name, width in (("minute", MINUTE), ("hour", HOUR), ("day", DAY)):
            counted = connection.execute(
                f"SELECT account_id, bucket, n FROM call_counts_{name} ORDER BY 1, 2"
            ).fetchall()
            there = connection.execute(
                "SELECT account_id, started_at / ?, count(*) FROM calls GROUP BY 1, 2 ORDER BY 1, 2",
                (width,),
            ).fetchall()
            assert counted == there
    finally:
        connection.execute("ROLLBACK")


@given(moments, moments)
def test_a_window_is_covered_once_newest_first(low, high):
    spans = list(cover(low, high))
    edges = [edge for span in spans for edge in (span.high, span.low)]
    assert edges == sorted(edges, reverse=True)
    assert sum(span.high - span.low for span in spans) == max(0, high - low)
    assert all(edge % WIDTHS[span.level] == 0 for span in spans for edge in (span.low, span.high))
    assert len(spans) <= 7


def test_a_page_reads_no_more_than_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    upgrade(path)
    connection = connect_writer(path)
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM calls WHERE account_id = 'a' AND started_at >= 1 "
        "AND started_at < 2 ORDER BY started_at DESC, id DESC LIMIT 20 OFFSET 3"
    ).fetchall()
    assert [row[3] for row in plan] == [
        "SEARCH calls USING PRIMARY KEY (account_id=? AND started_at>? AND started_at<?)"
    ]
    connection.close()
