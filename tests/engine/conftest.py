"""A real Asterisk, fetched once for all tests, and the smallest configuration that it runs on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trunkline.engine.config.run_directory import run_directory
from trunkline.engine.install.choose import Installed, find, install, with_recorder

CONFIGURATION = """\
[directories]
astetcdir => {home}/etc
astmoddir => {modules}
astvarlibdir => {home}/lib
astdbdir => {home}/lib
astkeydir => {home}/lib
astdatadir => {share}
astagidir => {home}/lib
astspooldir => {home}/spool
astrundir => {run}
astlogdir => {home}/log
[options]
documentation_language = en_US
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's own cache when it holds an engine; else one of the tests', filled from the mirror."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    own = Path(base) / "trunkline"
    return own if find(own) else tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def installed(cache: Path) -> Installed:
    return with_recorder(find(cache) or install(cache), cache)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "engine"


@pytest.fixture
def write_configuration(installed: Installed, home: Path) -> Callable[[], None]:
    """Write an asterisk.conf that loads no module."""

    def write() -> None:
        for folder in ("etc", "lib", "log", "spool"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        run = run_directory(home)
        text = CONFIGURATION.format(
            home=home, modules=installed.modules, share=installed.share, run=run
        )
        (home / "etc" / "asterisk.conf").write_text(text)
        (home / "etc" / "modules.conf").write_text("[modules]\nautoload=no\n")
        (home / "etc" / "logger.conf").write_text("[general]\n[logfiles]\n")

    return write
