"""Numbers in any spelling: what is dialled, and what finds it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.calls.facts import Party
from trunkline.history.terms import NUMBER, of_number, of_text, terms_of
from trunkline.routing.dialling import NumberInvalid, Rights, dropped_beyond_ascii, may_dial, number

BETWEEN = st.characters(categories=["Zs", "Pd", "Cf", "Ps", "Pe"])
DIGITS = st.characters(categories=["Nd"])


@pytest.mark.parametrize(
    ("pasted", "dialled"),
    [
        ("+84‑28‑7301‑9555", "+842873019555"),  # U+2011
        ("028–7301–9555", "02873019555"),
        ("028\u202f7301\u00a09555", "02873019555"),
        ("\u202a+84 28 7301 9555\u202c", "+842873019555"),
        ("\u200e(028) 7301.9555\ufeff", "02873019555"),
        ("028/7301-9555", "02873019555"),
        ("[028] {7301} （9555）", "02873019555"),
        ("028−7301・9555", "02873019555"),  # U+2212, U+30FB
        ("＋８４２８７３０１９５５５", "+842873019555"),
        ("٠٩٠١٢٣٤٥٦٧", "0901234567"),
        ("۰۹۰۱۲۳۴۵۶۷", "0901234567"),
        ("1\ufe0f2\ufe0f", "12"),
        ("0901234586;ext=12", "0901234586"),
        ("0901234586;phone-context=+84", "0901234586"),
        ("*97", "*97"),
        ("#21#", "#21#"),
        ("7", "7"),
        ("1" * 32, "1" * 32),
    ],
)
def test_what_people_paste_is_dialled(pasted: str, dialled: str) -> None:
    assert number(pasted) == dialled


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ";ext=1", "+", "++84", "84+28", "12a", "0901x12", "0901,9", "0901w12", "12\n34",
        "12\t34", "12\x0034", "sip:12", "12@host", "1" * 33, "½", "²", "ⅳ", "一", "12&13", "<12>",
        "12=13", "12'", '"12"',
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NumberInvalid):
        number(text)


def test_a_code_is_for_numbers_inside() -> None:
    all_numbers = Rights.read(".*", "^$", ":trunk-a:0:")
    assert (may_dial(all_numbers, "97"), may_dial(all_numbers, "*97")) == (True, False)


def test_a_prefix_is_refused_with_a_plus_too() -> None:
    def may(deny: str, number: str) -> bool:
        return may_dial(Rights.read(".*", deny, ":trunk-a:0:"), number)

    assert not may("^(1900|00)", "1900123")
    assert not may("^(1900|00)", "+1900123")
    assert may("^([+]1900)", "1900123")
    assert not may("^([+]1900)", "+1900123")
    assert may("^(1900|00)", "+4912345")


@given(
    plus=st.sampled_from(["", "+", "＋"]),
    digits=st.lists(DIGITS, min_size=3, max_size=32),
    between=st.lists(st.text(BETWEEN, max_size=3), min_size=40, max_size=40),
)
def test_however_it_is_spelled_it_is_dialled_and_found(
    plus: str, digits: list[str], between: list[str]
) -> None:
    pairs = zip(between[1:], digits, strict=False)
    spelled = between[0] + plus + "".join(sep + digit for sep, digit in pairs) + between[-1]
    plain = "".join(str(unicodedata.decimal(digit)) for digit in digits)

    assert number(spelled) == ("+" if plus else "") + plain
    dialled = Party(number=number(spelled))
    found = terms_of(dialled, Party(number="101"), None, None, None)
    assert of_number(NUMBER, spelled).holds(found)
    assert all(lookup.holds(found) for lookup in of_text(spelled))


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        dialled = number(text)
    except NumberInvalid:
        return
    assert set(dialled.removeprefix("+")) <= set("0123456789*#")
    assert number(dialled) == dialled


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("0901234586;ext=12", 1),
        ("*97", 1),
        ("0901; and more", 3),
        ("an 0901", 2),
        ("(028) 7301–9555", 1),
    ],
)
def test_a_text_that_is_a_number_is_one_word(asked: str, words: int) -> None:
    assert len(of_text(asked)) == words


def test_what_the_dialplan_drops_is_dropped_here_too() -> None:
    assert number("1".join(dropped_beyond_ascii()[:30])) == "1" * 29
    assert {"\u2011", "\u00a0", "\u202a", "\uff08"} <= {*dropped_beyond_ascii()}
    assert not any(char.isascii() for char in dropped_beyond_ascii())
