"""The verdict on an attempt to deliver a webhook: the rules of Standard Webhooks, and ours.

Any 2xx is success, 410 ends the endpoint, everything else is tried again by the schedule. 429 and 503 with
``Retry-After`` (RFC 9110, 10.2.3) put off the whole endpoint, and use up none of the schedule for as
long as the schedule lasts. When a delivery's schedule is used up, the delivery has failed if the endpoint
took anything meanwhile. If the endpoint took nothing, the fault is the endpoint's: it is suspended, and
the delivery stays pending, so that nothing is missing when the endpoint is enabled again.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from trunkline.calls.times import SECOND
from trunkline.delivery.webhook import Attempt, Delivery, DeliveryState, Webhook

JITTER = 0.1
"""A pause is longer or shorter by up to this part of it."""
LONGEST_RETRY_AFTER = 86_400
"""Seconds. An endpoint that asks for more is tried again after this."""
SHORTEST_RETRY_AFTER = 1.0
FAILURES_UNTIL_PACED = 3
"""After so many failures in a row an endpoint gets attempts no more often than the first pause allows."""


class RetryPolicy(msgspec.Struct, frozen=True):
    """The schedule's pauses, and how long every attempt may fail before the endpoint is suspended; in seconds."""

    pauses: tuple[float, ...] = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    suspend_after: float = 5 * 86_400


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    state: DeliveryState
    step: int
    next_at: int | None = None
    not_before: int = 0
    """The endpoint gets nothing before this."""
    stop: Literal["disabled", "suspended"] | None = None
    """The endpoint gets nothing more until it is enabled again."""
    reason: str = ""


def decide(
    webhook: Webhook, delivery: Delivery, attempt: Attempt, policy: RetryPolicy, chance: float
) -> Verdict:
    """The verdict. Webhook and delivery are as they were before the attempt; ``chance`` is in [0, 1)."""
    if attempt.success:
        return Verdict(state="delivered", step=delivery.step)
    if attempt.status == 410:
        return _stopped(delivery, attempt, "disabled", "it answered 410 Gone")
    if _silent_for(webhook, attempt) >= policy.suspend_after * SECOND:
        return _stopped(delivery, attempt, "suspended", _in_vain(attempt, "every attempt failed"))
    asked = _retry_after(attempt)
    if asked is not None and _age(delivery, attempt) <= sum(policy.pauses) * SECOND:
        return _put_off(delivery, attempt, min(asked, LONGEST_RETRY_AFTER), policy)
    if delivery.step < len(policy.pauses):
        return _again(webhook, delivery, attempt, policy, chance)
    if _took_nothing_since(webhook, delivery, attempt):
        words = _in_vain(attempt, f"{delivery.attempts + 1} attempts at one delivery failed")
        return _stopped(delivery, attempt, "suspended", words)
    return Verdict(state="failed", step=delivery.step, not_before=_paced(webhook, attempt, policy))


def _stopped(
    delivery: Delivery, attempt: Attempt, stop: Literal["disabled", "suspended"], reason: str
) -> Verdict:
    return Verdict(
        state="pending", step=delivery.step, next_at=attempt.ended_at, stop=stop, reason=reason
    )


def _put_off(delivery: Delivery, attempt: Attempt, seconds: float, policy: RetryPolicy) -> Verdict:
    least = min((SHORTEST_RETRY_AFTER, *policy.pauses))
    until = attempt.ended_at + round(max(seconds, least) * SECOND)
    return Verdict(state="pending", step=delivery.step, next_at=until, not_before=until)


def _again(
    webhook: Webhook, delivery: Delivery, attempt: Attempt, policy: RetryPolicy, chance: float
) -> Verdict:
    pause = policy.pauses[delivery.step] * (1 + JITTER * (2 * chance - 1))
    return Verdict(
        state="pending",
        step=delivery.step + 1,
        next_at=attempt.ended_at + round(pause * SECOND),
        not_before=_paced(webhook, attempt, policy),
    )


def _paced(webhook: Webhook, attempt: Attempt, policy: RetryPolicy) -> int:
    if webhook.failures + 1 < FAILURES_UNTIL_PACED:
        return 0
    return attempt.ended_at + round(min(policy.pauses, default=0) * SECOND)


def _silent_for(webhook: Webhook, attempt: Attempt) -> int:
    since = webhook.failing_since
    return 0 if since is None else attempt.ended_at - since


def _age(delivery: Delivery, attempt: Attempt) -> int:
    return attempt.ended_at - (delivery.first_at or attempt.at)


def _took_nothing_since(webhook: Webhook, delivery: Delivery, attempt: Attempt) -> bool:
    return (webhook.failing_since or attempt.at) <= (delivery.first_at or attempt.at)


def _in_vain(attempt: Attempt, words: str) -> str:
    last = f"HTTP {attempt.status}" if attempt.status is not None else attempt.error
    return f"{words}, the last one with: {last}"


def _retry_after(attempt: Attempt) -> float | None:
    """Seconds after the answer, from a number or a date; None where the header is missing or unreadable."""
    said = attempt.retry_after.strip()
    if attempt.status not in (429, 503) or not said:
        return None
    if said.isascii() and said.isdigit():
        return float(said[:12])
    try:
        date = parsedate_to_datetime(said)
    except ValueError:
        return None
    if date.tzinfo is None:  # "-0000": UTC, by RFC 5322
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - attempt.ended_at / SECOND)
