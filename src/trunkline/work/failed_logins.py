"""Wrong passwords, hashes and keys, by whatever door: counted, and told in the log in one form.

The form is what ``deploy/fail2ban/filter.d/trunkline.conf`` reads. An address stands in it only where it is one:
behind proxies it is what somebody wrote into a header.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Literal

import structlog

from trunkline.work.told_at_most import ToldAtMost

log = structlog.get_logger()

Door = Literal["sip", "oapi", "v1"]

WINDOW = 60.0
_EACH, _ALL, _ADDRESSES = 5, 300, 1000
"""Lines a window: for each address and device, for all together; and how many of them are counted apart."""


class FailedLogins:
    """Counts and logs. ``clock`` gives seconds, and only goes on."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.counts: Counter[Door] = Counter({"sip": 0, "oapi": 0, "v1": 0})
        """Since the start, by the door."""
        self._lines = ToldAtMost[tuple[str, Door, str | None]](
            window=WINDOW,
            each=_EACH,
            in_all=_ALL,
            kinds=_ADDRESSES,
            rest=lambda kind: ("", kind[1], None),
        )

    def failed(self, door: Door, address: str, count: int = 1, device: str | None = None) -> None:
        """Somebody at this address was wrong ``count`` times; ``device`` is one that there is."""
        self.counts[door] += count
        self.tell_held()
        address = _known(address)
        for times in self._lines.now((address, door, device), count, self._clock()):
            _tell(door, address, times, device)

    def tell_held(self) -> None:
        """Tell what was held back, when its time is over."""
        for (address, door, device), count in self._lines.over(self._clock()):
            _tell(door, address, count, device)


def _tell(door: Door, address: str, count: int, device: str | None) -> None:
    log.warning("login.failed", address=address or "unknown", by=door, count=count, device=device)


def _known(address: str) -> str:
    """The address as it is written shortest, an IPv4 one as such; empty for what is none."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)
