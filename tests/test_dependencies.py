"""No version that has a published advisory may be installed: neither ours by its lower bound, nor any of the lock."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FIXED = {
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "cryptography": ("46.0.7", "CVE-2026-26007, CVE-2026-34073, CVE-2026-39892"),
    "filelock": ("3.20.3", "CVE-2025-68146, CVE-2026-22701"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "httpcore": ("1.0.9", "the first that takes h11 0.16"),
    "httptools": ("0.7.1", "llhttp 9: request smuggling in older ones"),
    "idna": ("3.7", "CVE-2024-3651"),
    "litestar": ("2.20.0", "CVE-2026-25478, CVE-2026-25479, CVE-2026-25480"),
    "mako": ("1.3.12", "CVE-2026-41205, CVE-2026-44307"),
    "multipart": ("1.3.1", "CVE-2026-28356"),
    "pyarrow": ("23.0.1", "CVE-2026-25087"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "starlette": ("1.0.1", "CVE-2026-48710"),
    "urllib3": ("2.6.3", "CVE-2025-66418, CVE-2025-66471, CVE-2026-21441"),
}
"""The oldest version without a known advisory, and which those are (as of 2026-11)."""


def read(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text())


def ours() -> list[Requirement]:
    project = read("pyproject.toml")["project"]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    return [Requirement(text) for text in (*project["dependencies"], *extras)]


@pytest.mark.parametrize("needed", [each for each in ours() if each.name in FIXED], ids=str)
def test_what_we_ask_for_is_above_its_advisories(needed: Requirement) -> None:
    fixed = Version(FIXED[needed.name][0])
    lower = [Version(each.version) for each in needed.specifier if each.operator in (">=", "==")]
    assert lower
    assert max(lower) >= fixed, FIXED[needed.name][1]


def test_the_lock_is_above_all_advisories() -> None:
    locked = [
        (each["name"], Version(each.get("version", "0"))) for each in read("uv.lock")["package"]
    ]
    old = [
        (name, str(version))
        for name, version in locked
        if name in FIXED and version < Version(FIXED[name][0])
    ]
    assert old == []
    assert {"litestar", "cryptography", "h11", "multipart"} <= {name for name, _ in locked}
