"""The bills of materials: of the wheel, of a fetched engine, and both true to CycloneDX's schema."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from trunkline.engine.install import bill, contents, recorder
from trunkline.engine.install.installed import Installed

ROOT = Path(__file__).parents[1]
OURS = {name for _, name in recorder.SOURCES}


def checked(text: str) -> dict[str, Any]:
    """The bill, if the schema allows it."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom: dict[str, Any] = json.loads(text)
    return bom


def engine(root: Path | None) -> Installed:
    here = Path()
    return Installed("22.10.1", ("asterisk",), here, here, here, "private", root)


def test_an_engine_is_told_by_its_packages_and_our_modules(tmp_path: Path) -> None:
    archives = []
    for name in ("asterisk_1%3a22.10.1+dfsg-1_amd64.deb", "libssl3t64_3.5.4-1_amd64.deb"):
        archives.append(tmp_path / name)
        archives[-1].write_bytes(name.encode())
    contents.note(tmp_path, archives)

    bom = checked(bill.bill(engine(tmp_path)))
    parts = {part["name"]: part for part in bom["components"]}
    assert bom["metadata"]["component"]["version"] == "22.10.1"
    assert set(parts) == OURS | {"asterisk", "libssl3t64"}
    assert parts["asterisk"]["purl"] == "pkg:deb/debian/asterisk@1:22.10.1%2Bdfsg-1?arch=amd64"
    digest = hashlib.sha256(archives[1].name.encode()).hexdigest()
    assert parts["libssl3t64"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    (needs,) = [each["dependsOn"] for each in bom["dependencies"] if each["ref"] == "engine"]
    assert len(needs) == len(OURS) + 2


@pytest.mark.parametrize("root", [None, Path("/nowhere")])
def test_an_engine_of_unknown_make_is_told_as_far_as_it_is_known(root: Path | None) -> None:
    bom = checked(bill.bill(engine(root)))
    assert {part["name"] for part in bom["components"]} == OURS


def test_make_sbom_writes_both(tmp_path: Path) -> None:
    subprocess.run(["sh", str(ROOT / "setup" / "sbom.sh"), str(tmp_path)], check=True, timeout=120)
    wheel = checked((tmp_path / "trunkline.cdx.json").read_text())
    parts = {part["name"]: part["version"] for part in wheel["components"]}
    assert wheel["metadata"]["component"]["name"] == "trunkline"
    assert {"litestar", "uvicorn", "cryptography", "pyarrow"} <= set(parts)
    assert "pytest" not in parts
    assert all(parts.values())
    checked((tmp_path / "engine.cdx.json").read_text())
