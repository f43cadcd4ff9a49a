"""What the engine's live signals tell of a leg, kept until the log tells of that leg."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.calls import facts as f
from trunkline.engine.port import AnsweredInSip, HoldChanged, Rang, Signal

Early = f.LegRinging | f.LegHeld | f.LegUnheld

_KEPT = 10_000_000
_CODES_KEPT = 4096


class Signals:
    """Ringing, holding and SIP codes, by leg. A signal can be faster than the log, or slower."""

    def __init__(self) -> None:
        self._early: dict[str, list[Early]] = {}
        self._codes: dict[str, int] = {}
        self._steady: dict[Early, int] = {}

    def hear(self, signal: Signal, log_is_read: bool, steady: int = 0) -> None:
        """Keep a signal; ``steady`` is its moment by the monotonic clock. Once the log has been read to its end, signals that nobody claimed for long are dropped."""
        if isinstance(signal, AnsweredInSip):
            self._codes[signal.leg_id] = signal.code
            while len(self._codes) > _CODES_KEPT:
                del self._codes[next(iter(self._codes))]
        elif isinstance(signal, Rang | HoldChanged):
            if log_is_read:
                self._drop_before(signal.at - _KEPT)
            fact = _fact(signal)
            self._early.setdefault(signal.leg_id, []).append(fact)
            self._steady[fact] = steady

    def legs(self) -> list[str]:
        return list(self._early)

    def of(self, leg_id: str) -> Sequence[Early]:
        """The signals of a leg that are not in its call yet; their call ids are empty."""
        return self._early.get(leg_id, ())

    def steady(self, fact: Early) -> int:
        """The moment of such a signal by the monotonic clock; 0 where that is not known."""
        return self._steady.get(fact, 0)

    def code(self, leg_id: str) -> int | None:
        return self._codes.get(leg_id)

    def used(self, leg_id: str, facts: Sequence[Early]) -> None:
        """These are in the leg's call, for good."""
        kept = self._drop(leg_id)
        for fact, steady in kept:
            if fact not in facts:
                self._early.setdefault(leg_id, []).append(fact)
                self._steady[fact] = steady

    def forget(self, leg_id: str) -> None:
        self._drop(leg_id)
        self._codes.pop(leg_id, None)

    def _drop(self, leg_id: str) -> list[tuple[Early, int]]:
        return [(each, self._steady.pop(each, 0)) for each in self._early.pop(leg_id, [])]

    def _drop_before(self, at: int) -> None:
        for leg_id, kept in list(self._early.items()):  # in the order of their first signal
            if kept[-1].at > at:
                return
            self._drop(leg_id)


def _fact(signal: Rang | HoldChanged) -> Early:
    if isinstance(signal, Rang):
        return f.LegRinging(call_id="", at=signal.at, leg_id=signal.leg_id)
    kind = f.LegHeld if signal.held else f.LegUnheld
    return kind(call_id="", at=signal.at, leg_id=signal.leg_id)
