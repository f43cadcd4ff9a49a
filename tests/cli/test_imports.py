"""What a command imports is what makes it slow: nothing that it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .office import Office


@pytest.mark.parametrize(
    "words",
    [
        ["version"],
        ["--help"],
        ["calls", "--help"],
        ["account", "--help"],
        ["events", "tail", "--help"],
        ["webhooks", "listen", "--help"],
    ],
)
def test_help_and_version_import_no_library_of_the_server(words: list[str]) -> None:
    code = (
        "import sys\nfrom trunkline.cli import app\n"
        f"try: app({words!r})\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'litestar', 'uvicorn', 'httpx', 'cryptography', 'obstore'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "words", [["calls", "list"], ["history", "--account", "acme"], ["events", "tail", "--once"]]
)
def test_looking_does_without_the_tools_of_changing(office: Office, words: list[str]) -> None:
    code = (
        "import sys\nfrom trunkline.cli import app\n"
        f"try: app(['--data', {str(office.data)!r}, *{words!r}])\nexcept SystemExit: pass\n"
        "print(sorted({'sqlalchemy', 'alembic', 'litestar', 'httpx', 'obstore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_managing_imports_no_migrations_once_the_schema_is_there(office: Office) -> None:
    code = (
        "import sys\nfrom trunkline.cli import app\n"
        f"try: app(['--data', {str(office.data)!r}, 'account', 'list'])\nexcept SystemExit: pass\n"
        "print(sorted({'alembic', 'litestar', 'httpx', 'sqlalchemy.dialects.postgresql'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
