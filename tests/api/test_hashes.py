"""The hashes, as pure functions."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from trunkline.api.http.query import readings
from trunkline.api.oapi.hashes import header_hash, histories_hashes, matches, media_hash

from .conftest import sha

TEXT = st.text(max_size=20)
MAYBE = st.none() | TEXT


def test_the_published_vector() -> None:
    right = histories_hashes(
        "6544646543674",
        "2018-02-07T02:19:33.000Z",
        "2018-02-07T07:04:22.000Z",
        None,
        None,
        "123456",
    )
    published = "9b11b9ff77dbba70fe059acf84c02cfe6af90de9122e4d3bd6ec69c9d637f9ed"
    assert matches(published, right)
    assert not matches(published.upper(), right)
    assert not matches(published[:-1], right)


def test_nothing_at_all_has_only_the_hash_over_the_defaults() -> None:
    for empty in ([None] * 4, ["", "", None, None]):
        right = histories_hashes("app", *empty, "secret")
        assert sorted(right) == sorted([sha("app201secret"), sha("201appsecret")])
    assert histories_hashes("app", "", "", "", "", "secret") == []


@given(app_id=TEXT, start=MAYBE, end=MAYBE, limit=MAYBE, page=MAYBE, secret=st.text(min_size=1))
def test_a_hash_never_is_the_header_hash_of_the_same_app(
    app_id: str,
    start: str | None,
    end: str | None,
    limit: str | None,
    page: str | None,
    secret: str,
) -> None:
    right = histories_hashes(app_id, start, end, limit, page, secret)
    assert header_hash(app_id, secret) not in right
    assert len(right) <= 4


@given(given_=TEXT, media=MAYBE)
def test_only_the_very_hash_matches(given_: str, media: str | None) -> None:
    right = media_hash("app", media, "secret")
    assert matches(right, [right])
    assert matches(given_, [right]) == (given_ == right)
    assert not matches(right, [])


def test_a_hash_is_over_the_bytes_that_were_sent() -> None:
    [reading] = readings(b"media=%ff%C3%A9")
    made = media_hash("app", reading.get("media"), "secret")
    import hashlib

    assert made == hashlib.sha256(b"app\xff\xc3\xa9secret").hexdigest()


@given(query=st.binary(max_size=60))
def test_any_query_string_can_be_read(query: bytes) -> None:
    for reading in readings(query):
        assert all(name in reading.values for name in reading.twice)


def test_what_was_sent_twice_is_read_both_ways() -> None:
    first, last = readings(b"a=1&b=x&a=2")
    assert (first.get("a"), last.get("a")) == ("1", "2")
    assert first.twice == last.twice == {"a"}


def test_a_query_of_thousands_of_names_is_read_in_no_time() -> None:
    """It is read before anybody is known: looked for in a list, each name would take all of them again."""
    query = "&".join(f"n{number}" for number in range(12_000)) + "&n0"
    started = time.process_time()
    first, last = readings(query.encode())
    assert first.twice == last.twice == {"n0"}
    assert time.process_time() - started < 1
