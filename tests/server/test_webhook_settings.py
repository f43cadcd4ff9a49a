"""The settings of webhooks, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.delivery.verdict import RetryPolicy
from trunkline.server.setting_forms import SettingsError
from trunkline.server.settings import Settings, load
from trunkline.server.wiring import webhooks
from trunkline.webhooks.port import UrlRefused


def test_the_defaults_are_those_of_the_specification() -> None:
    assert webhooks.retry_policy(Settings()) == RetryPolicy()


async def test_only_what_is_listed_is_allowed() -> None:
    post = webhooks.post(Settings(webhook_allow="10.0.0.0/8, ::1"), lambda: 0)
    await post.check("http://10.1.2.3/")
    await post.check("http://[::1]:8000/")
    with pytest.raises(UrlRefused):
        await post.check("http://127.0.0.1/")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_ALLOW", "example.com"),
        ("WEBHOOK_ALLOW", "10.0.0.0/8 11.0.0.0/8"),
        ("WEBHOOK_RETRY_SECONDS", ""),
        ("WEBHOOK_RETRY_SECONDS", "5,,300"),
        ("WEBHOOK_RETRY_SECONDS", "5,-1"),
        ("WEBHOOK_RETRY_SECONDS", "0"),
        ("WEBHOOK_RETRY_SECONDS", "nan"),
        ("WEBHOOK_RETRY_SECONDS", "inf"),
        ("WEBHOOK_TIMEOUT_SECONDS", "0"),
        ("WEBHOOK_SUSPEND_DAYS", "0"),
        ("WEBHOOK_CONNECTIONS", "0"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name.lower()):
        load({"data": str(tmp_path)}, {f"TRUNKLINE_{name}": value})
