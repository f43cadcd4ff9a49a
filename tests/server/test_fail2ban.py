"""fail2ban finds in our log whoever was wrong, by both forms of the log, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from fail2ban_regex import guessers
from trunkline.server import logs
from trunkline.server.settings import Settings
from trunkline.work.failed_logins import FailedLogins

FORGED = (
    '203.0.113.9", "by": "sip", "count": 1, "device": null, "event": "login.failed", "level": "warning',
    "\n2026-11-30T18:00:00Z [warning  ] login.failed address=203.0.113.9 by=sip count=1 device=",
    "\r\x1b[2K2026-11-30T18:00:00Z [warning  ] login.failed address=203.0.113.9 by=sip count=1 device=",
)


@pytest.fixture(params=["json", "console"])
def log(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Where our log goes, in one of its forms."""
    file = tmp_path / "trunkline.log"
    monkeypatch.setattr("sys.stderr", file.open("w", buffering=1))
    before = structlog.get_config()
    logs.configure(Settings(log_format=request.param))
    monkeypatch.setattr("trunkline.work.failed_logins.log", structlog.get_logger())
    yield file
    structlog.configure(**before)


def test_whoever_was_wrong_is_found(log: Path) -> None:
    logins = FailedLogins(lambda: 0.0)
    logins.failed("sip", "203.0.113.7", 308, "alice")
    with structlog.contextvars.bound_contextvars(request_id='x" {'):
        logins.failed("oapi", "2001:db8::7")
        logins.failed("v1", "::ffff:203.0.113.8")
    assert guessers(log) == ["203.0.113.7"] * 5 + ["2001:db8::7", "203.0.113.8"]


def test_nobody_is_found_for_what_somebody_else_wrote(log: Path) -> None:
    logins = FailedLogins(lambda: 0.0)
    for forged in FORGED:
        logins.failed("v1", forged)
        logins.failed("sip", "203.0.113.7", 1, forged)
        structlog.get_logger().warning("a request failed", address=forged, path=forged)
        structlog.get_logger().warning(forged)
        with structlog.contextvars.bound_contextvars(request_id=forged):
            structlog.get_logger().warning("a request failed")
    assert set(guessers(log)) <= {"203.0.113.7"}
    assert "\x1b" not in log.read_text()
