"""What follows from an attempt at a webhook."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from trunkline.delivery.verdict import RetryPolicy, Verdict, decide
from trunkline.delivery.webhook import Attempt, Delivery, Webhook

AT = 1_700_000_000_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND
RULES = RetryPolicy()


def webhook(**changes: Any) -> Webhook:
    values: dict[str, Any] = {
        "id": "w", "account_id": "a", "url": "https://example.com/", "description": "", "events": (),
        "state": "enabled", "reason": "", "cursor": 9, "previous_until": None, "failing_since": None,
        "failures": 0, "not_before": 0, "created_at": AT, "changed_at": AT,
    }  # fmt: skip
    return Webhook(**{**values, **changes})


def delivery(**changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "id": 1, "webhook_id": "w", "account_id": "a", "seq": 9, "gap_from": None, "lane": "c",
        "call_id": "c", "name": "CALL_ENDED", "kind": "event", "state": "pending", "attempts": 0,
        "step": 0, "first_at": None, "next_at": AT, "created_at": AT, "done_at": None,
        "last_status": None, "last_error": "",
    }  # fmt: skip
    return Delivery(**{**values, **changes})


def verdict(
    hook: Webhook | None = None,
    what: Delivery | None = None,
    *,
    at: int = AT,
    rules: RetryPolicy = RULES,
    chance: float = 0.5,
    **came: Any,
) -> Verdict:
    attempt = Attempt(at=at, total_ms=2000.0, **came)
    return decide(hook or webhook(), what or delivery(), attempt, rules, chance)


END = AT + 2 * SECOND


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert verdict(status=status) == Verdict(state="delivered", step=0)


@pytest.mark.parametrize(
    "came", [{"status": 500}, {"status": 302}, {"status": 404}, {"error": "x"}]
)
def test_all_else_is_tried_again(came: dict[str, Any]) -> None:
    assert verdict(**came) == Verdict(state="pending", step=1, next_at=END + 5 * SECOND)


def test_the_pauses_are_those_of_the_specification() -> None:
    hours = [
        (verdict(what=delivery(step=step), status=500).next_at or 0) - END for step in range(9)
    ]
    assert [each / HOUR for each in hours] == [5 / 3600, 1 / 12, 0.5, 2, 5, 10, 14, 20, 24]


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 270), (0.25, 285), (1.0, 330)])
def test_pauses_have_jitter(chance: float, pause: int) -> None:
    said = verdict(what=delivery(step=1), chance=chance, status=500)
    assert said.next_at == END + pause * SECOND


def test_from_the_third_failure_in_a_row_on_the_endpoint_is_paced() -> None:
    paced = [verdict(webhook(failures=n), status=500).not_before for n in range(4)]
    assert paced == [0, 0, END + 5 * SECOND, END + 5 * SECOND]


def test_410_disables_and_loses_nothing() -> None:
    said = verdict(what=delivery(step=3), status=410)
    assert (said.state, said.stop, said.step, said.next_at) == ("pending", "disabled", 3, END)
    assert said.reason == "it answered 410 Gone"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 1),
        ("9999999", 86_400),
        ("9" * 60, 86_400),
        (formatdate(END / SECOND + 90, usegmt=True), 90),
        (formatdate(END / SECOND + 90), 90),
        (formatdate(END / SECOND - 90, usegmt=True), 1),
    ],
)
def test_retry_after_puts_the_endpoint_off(status: int, header: str, seconds: int) -> None:
    said = verdict(what=delivery(step=2), status=status, retry_after=header)
    assert (said.state, said.step) == ("pending", 2)
    assert said.next_at == said.not_before == END + seconds * SECOND


@pytest.mark.parametrize("header", ["soon", "-5", "1.5", "١", "Fri, 99 Foo 2026 00:00:00 GMT"])
def test_a_retry_after_that_cannot_be_read_is_none(header: str) -> None:
    assert verdict(status=503, retry_after=header).step == 1


def test_other_answers_do_not_put_off() -> None:
    assert verdict(status=500, retry_after="3600").next_at == END + 5 * SECOND


def test_putting_off_ends_with_the_schedule() -> None:
    old = delivery(first_at=AT - sum(map(int, RULES.pauses)) * SECOND)
    assert verdict(what=old, status=503, retry_after="5").step == 1


def test_a_used_up_delivery_has_failed_where_the_endpoint_took_others() -> None:
    used_up = delivery(step=9, attempts=9, first_at=AT - 80 * HOUR)
    said = verdict(webhook(failing_since=AT - HOUR, failures=1), used_up, status=500)
    assert (said.state, said.stop, said.next_at) == ("failed", None, None)


def test_an_endpoint_that_took_nothing_meanwhile_is_suspended_and_loses_nothing() -> None:
    used_up = delivery(step=9, attempts=9, first_at=AT - 80 * HOUR)
    said = verdict(webhook(failing_since=AT - 80 * HOUR, failures=40), used_up, status=500)
    assert (said.state, said.stop, said.next_at) == ("pending", "suspended", END)
    assert said.reason == "10 attempts at one delivery failed, the last one with: HTTP 500"


def test_a_schedule_without_pauses_is_used_up_at_once() -> None:
    said = verdict(rules=RetryPolicy(pauses=()), error="connecting failed: Connection refused")
    assert (said.state, said.stop) == ("pending", "suspended")


def test_an_endpoint_that_has_failed_for_days_is_suspended() -> None:
    since = END - 5 * 24 * HOUR
    late, not_yet = (
        verdict(webhook(failing_since=at, failures=9), error="no answer")
        for at in (since, since + 1)
    )
    assert (late.stop, late.state, not_yet.stop) == ("suspended", "pending", None)
    assert late.reason == "every attempt failed, the last one with: no answer"
