"""Quality: the E-model by published values, what the engine's row says, and what the fold makes of it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from calls.replay import NODE, folded, scenario
from trunkline.calls import cel, e_model
from trunkline.calls import facts as f
from trunkline.calls.cel import CelRow
from trunkline.calls.fold import refold
from trunkline.calls.quality import Quality, QualityLimits, Stream, faults, quality
from trunkline.events.of_call import announce, told_of

ULAW = e_model.CODECS["ulaw"]

# ---- The E-model -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1), (100, 4.5)]
)
def test_a_rating_is_the_opinion_of_g107s_table_b1(r: float, mos: float) -> None:
    assert e_model.opinion(r) == pytest.approx(mos, abs=0.01)


def test_with_g107s_default_values_r_is_93_2() -> None:
    r = e_model.rating(ULAW, 0, 0)
    assert round(r, 1) == 93.2
    assert round(e_model.opinion(r), 2) == 4.41


def test_the_constants_are_those_that_g107s_default_values_give() -> None:
    slr, rlr, ds, ps, pr, lstr, nc, nfor, t_stmr = 8, 2, 3, 35, 35, 18, -70, -64, 15
    olr = slr + rlr
    nos = ps - slr - ds - 100 + 0.004 * (ps - olr - ds - 14) ** 2
    pre = pr + 10 * math.log10(1 + 10 ** ((10 - lstr) / 10))
    nor = rlr - 121 + pre + 0.008 * (pre - 35) ** 2
    no = 10 * math.log10(sum(10 ** (each / 10) for each in (nc, nos, nor, nfor + rlr)))
    ro = 15 - 1.5 * (slr + no)
    assert (round(no, 2), round(ro, 2)) == (e_model.NO, e_model.RO)
    x = olr + 0.2 * (64 + no - rlr)
    loud = 20 * ((1 + (x / 8) ** 8) ** (1 / 8) - x / 8)
    stmro = -10 * math.log10(10 ** (-t_stmr / 10) + 10 ** (-e_model.TELR / 10))
    side = 12 * (1 + ((stmro - 13) / 6) ** 8) ** (1 / 8) - 28 * (
        1 + ((stmro + 1) / 19.4) ** 35
    ) ** (1 / 35)
    side += -13 * (1 + ((stmro - 3) / 33) ** 13) ** (1 / 13) + 29
    g = 1.07 + 0.258 * 37 + 0.0602 * 37**2
    quantized = 15 * math.log10(
        1 + 10 ** ((ro - 100) / 15 + 46 / 8.4 - g / 9) + 10 ** (46 / 30 - g / 40)
    )
    assert round(loud + side + quantized, 2) == e_model.IS


@pytest.mark.parametrize("delay", [25, 50, 100, 150, 200, 250, 300])
def test_delay_takes_what_cole_and_rosenbluth_found_in_g107(delay: float) -> None:
    """Voice over IP performance monitoring (2001): Id = 0.024 d + 0.11 (d - 177.3) beyond 177.3 ms."""
    published = 93.2 - 0.024 * delay - 0.11 * max(0, delay - 177.3)
    assert e_model.rating(ULAW, delay, 0) == pytest.approx(published, abs=0.8)


def test_loss_takes_what_g113_says_of_g711_with_concealment() -> None:
    """Ie,eff = 95 Ppl / (Ppl + 25.1): half of 95 where as many are lost as the codec's robustness."""
    none = e_model.rating(ULAW, 0, 0)
    assert none - e_model.rating(ULAW, 0, 0.251) == pytest.approx(47.5)
    assert none - e_model.rating(ULAW, 0, 0.01) == pytest.approx(3.64, abs=0.01)


def test_more_delay_and_more_loss_are_never_better() -> None:
    by_delay = [e_model.rating(ULAW, t, 0.01) for t in range(0, 3000, 10)]
    by_loss = [e_model.opinion(e_model.rating(ULAW, 50, p / 100)) for p in range(101)]
    assert by_delay == sorted(by_delay, reverse=True)
    assert by_loss == sorted(by_loss, reverse=True)
    assert by_loss[-1] >= 1


# ---- The engine's row ------------------------------------------------------------------------------

COUNTS = {"lp": "24", "rxcount": "317", "txcount": "352", "rlp": "0", "rxmes": "0", "txmes": "46.2"}


def row(codec: str = "(ulaw)", jitter: str = "", rtt: str = "", **counts: str) -> CelRow:
    rtcp = ";".join(f"{name}={value}" for name, value in {**COUNTS, **counts}.items())
    told = f"codec={codec}&rtcp={rtcp}&jitter={jitter}&rtt={rtt}"
    extra = msgspec.json.encode({"extra": told}).decode()
    return CelRow(
        "MEDIA", 9_000_000, "l1", "c1", "PJSIP/a-1", "", "", "s", "leg-over", "a", "", extra
    )


def read(**values: str) -> f.LegMeasured:
    made = cel.read(row(**values), lambda _: None, lambda _: None)
    assert isinstance(made, f.LegMeasured)
    return made


def test_a_recorded_row_is_read() -> None:
    rows = [each for each in scenario("bad_line").rows if each.event == "MEDIA"]
    phone, carrier = (cel.read(each, lambda _: None, lambda _: None) for each in rows)
    assert isinstance(phone, f.LegMeasured)
    assert isinstance(carrier, f.LegMeasured)
    assert (phone.codec, phone.received, phone.received_lost) == ("ulaw", 317, 24)
    assert (phone.sent, phone.sent_lost, phone.sent_jitter, phone.round_trip) == (352, *[None] * 3)
    assert (carrier.sent_lost, carrier.sent_jitter, carrier.round_trip) == (32, 20_000, 559)
    assert carrier.received_lost == 0


def test_no_report_is_not_a_good_one() -> None:
    assert read(txmes="0", lp="0").received_lost is None
    assert read(rlp="0", rxmes="0").sent_lost is None
    assert read(rlp="0", rxmes="88.1").sent_lost == 0
    assert read(rtt="avgrtt=000.000000;").round_trip is None


def test_fewer_than_none_are_lost_where_packets_came_twice() -> None:
    assert read(lp=str((1 << 32) - 3)).received_lost == 0
    assert read(rlp=str((1 << 24) - 3), rxmes="88").sent_lost == 0


@pytest.mark.parametrize(
    "extra", ["", "codec=x", "rtcp=rxcount=-1", "rtcp=rxcount=nan", "rtcp=;;="]
)
def test_a_row_that_says_nothing_is_no_fact(extra: str) -> None:
    made = row()._replace(extra=msgspec.json.encode({"extra": extra}).decode())
    assert cel.read(made, lambda _: None, lambda _: None) is None


def test_the_first_of_several_codecs_counts() -> None:
    assert read(codec="(g722|ulaw)").codec == "g722"


# ---- What is made of it ----------------------------------------------------------------------------


def measured(**values: Any) -> f.LegMeasured:
    usual: dict[str, Any] = {"codec": "ulaw", "received": 1000, "sent": 1000}
    return f.LegMeasured(call_id="c", leg_id="l", at=1, **usual | values)


def test_what_came_after_the_last_count_is_no_part_of_the_share() -> None:
    """Of 9.9 s, the engine has counted what was lost in the first five."""
    found = quality(measured(received=445, received_lost=25), 9.9)
    assert found.received.loss_percent == pytest.approx(10, abs=0.1)


def test_a_leap_of_sequence_numbers_is_not_believed() -> None:
    found = quality(measured(received_lost=40_000), 20).received
    assert (found.packets, found.lost, found.loss_percent, found.mos) == (1000, None, None, None)


def test_reports_that_cannot_be_are_not_believed() -> None:
    found = quality(measured(sent_lost=2000, sent_jitter=60_000_000, round_trip=90_000_000), 20)
    assert (found.sent.lost, found.sent.jitter_ms, found.round_trip_ms) == (None, None, None)


def test_a_codec_that_the_model_does_not_know_has_no_mos() -> None:
    found = quality(measured(codec="gsm", received_lost=100), 20).received
    assert (found.loss_percent, found.mos) == (9.09, None)


@pytest.mark.parametrize("codec", e_model.CODECS)
def test_a_good_leg_is_good_whatever_its_codec(codec: str) -> None:
    found = quality(measured(codec=codec, received_lost=0, sent_lost=0), 20)
    assert found.received.mos == found.sent.mos == 4.4
    assert faults(found, QualityLimits()) == ()


def of(**stream: Any) -> Quality:
    return Quality("ulaw", Stream(100, **stream), Stream(100))


def test_what_is_bad_is_a_setting() -> None:
    bad = of(lost=9, loss_percent=8.0, jitter_ms=60.0, mos=3.5)
    assert faults(bad, QualityLimits()) == ("RECEIVED_LOSS", "RECEIVED_JITTER", "RECEIVED_MOS")
    assert faults(bad, QualityLimits(mos=3.5, loss_percent=8, jitter_ms=60)) == ()
    assert faults(bad, QualityLimits(mos=0, loss_percent=0, jitter_ms=0)) == ()
    assert faults(of(), QualityLimits()) == ()


def test_a_bad_line_is_told_once_a_leg_after_its_end() -> None:
    ledger = folded(scenario("bad_line"))
    told = [(call, each) for call, heard in ledger.heard for each in told_of(call, heard)]
    names = [each.name for _, each in told]
    assert names[-5:] == ["CHANNEL_DESTROY", "CALL_QUALITY"] * 2 + ["CALL_ENDED"]
    said = [announce(*one, NODE, 1).body for one in told if one[1].name == "CALL_QUALITY"]
    assert sorted(one.faults for one in said) == [  # type: ignore[union-attr]
        ["RECEIVED_LOSS", "RECEIVED_MOS"],
        ["SENT_LOSS", "SENT_MOS"],
    ]


def test_the_journal_alone_gives_the_quality_again_and_without_its_facts_none() -> None:
    ledger = folded(scenario("bad_line"))
    ((call_id, facts),) = ledger.journal.items()
    stored = [f.decode(f.encode(fact)) for fact in facts]
    again = refold(stored)
    older = refold([fact for fact in stored if not isinstance(fact, f.LegMeasured)])
    assert again
    assert older
    assert again == ledger.calls[call_id]
    assert all(leg.quality for leg in again.legs.values())
    assert [leg.quality for leg in older.legs.values()] == [None, None]
