"""Is what was said recorded as it was heard? A table of codecs and situations, live delay, and 200 calls at once.

``table.py`` plays each cell by exact RTP (``tests/whole/situations.py``), ``delay.py`` measures what is added to
live sound, ``crowd.py`` what many recorded calls cost, and whether all of them are whole.
"""

from __future__ import annotations

from . import crowd, delay, table

CALLS = 200
"""So many recorded calls at once."""


async def measure(calls: int = CALLS) -> list[table.Line]:
    """All of it; fewer ``calls`` are a try-out of every part."""
    quick = calls < CALLS
    lines: list[table.Line] = []
    lines += await table.measure(quick)
    lines += await delay.measure(quick)
    lines += await crowd.measure(calls, quick)
    return lines
