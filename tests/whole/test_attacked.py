"""What ``python -m attack.web`` tries, without what takes minutes."""

from __future__ import annotations

from attack.report import Report
from attack.web import QUICK, attacked, target_of

from .server import Server


async def test_the_http_side_holds(own_server: Server) -> None:
    report = Report()
    await attacked(await target_of(own_server), report, QUICK)
    assert report.findings == []
    assert report.cases > 400
