"""Which endpoint gets the next delivery: a bounded number at a time, shared so that nobody starves."""

from __future__ import annotations

from collections import Counter


class Turns:
    """Endpoints that have something to send, by account.

    A free place goes to the account that has the fewest places, and there to the endpoint that has
    waited longest. Endpoints that are failing have at most half of all places between them, so slow
    ones among them do not hold up those that answer.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: dict[str, dict[str, bool]] = {}
        self._taken: Counter[str] = Counter()
        self._failing = 0

    def wait(self, account_id: str, webhook_id: str, failing: bool) -> None:
        """The endpoint has something to send, or may have; it goes to the end of its account's queue."""
        queue = self._waiting.setdefault(account_id, {})
        queue.pop(webhook_id, None)
        queue[webhook_id] = failing

    def next(self) -> tuple[str, str] | None:
        """(account, endpoint) to serve now, which then waits no more; None when nobody may be served."""
        if self._taken.total() >= self._places:
            return None
        for account_id in sorted(self._waiting, key=self._taken.__getitem__):
            webhook_id = self._eligible(account_id)
            if webhook_id is not None:
                self._leave(account_id, webhook_id)
                return account_id, webhook_id
        return None

    def begin(self, account_id: str, failing: bool) -> None:
        self._taken[account_id] += 1
        self._failing += failing

    def end(self, account_id: str, failing: bool) -> None:
        """``failing`` is as it was at the beginning."""
        self._taken[account_id] -= 1
        if not self._taken[account_id]:
            del self._taken[account_id]
        self._failing -= failing

    def _eligible(self, account_id: str) -> str | None:
        full = self._failing >= max(1, self._places // 2)
        queue = self._waiting[account_id]
        return next((each for each, failing in queue.items() if not (failing and full)), None)

    def _leave(self, account_id: str, webhook_id: str) -> None:
        queue = self._waiting.pop(account_id)
        del queue[webhook_id]
        if queue:
            self._waiting[account_id] = (
                queue  # at the end: among equals, the next account comes first
            )
