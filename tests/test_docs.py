"""The documentation, held against the code: nothing missing, nothing that is not there.

The README's and the guides' samples are run by tests/whole/test_samples.py, tests/live/test_guide.py and
tests/api/test_hash_samples.py.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args, get_origin

import pytest
from typer.testing import CliRunner

from trunkline.api.http.errors import ERRORS
from trunkline.calls import words
from trunkline.cli import COMMANDS, app
from trunkline.events import state
from trunkline.events.payloads import KINDS, Event, Variables
from trunkline.history.row import HistoryRow

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")),
    *DOCS.rglob("*.md"),
]


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _reference()
RUNNABLE = dict(reference.commands())


def test_every_setting_is_documented() -> None:
    assert (DOCS / "reference/settings.md").read_text() == reference.settings_page(), (
        "run python docs/make_reference.py"
    )


def test_every_command_is_documented() -> None:
    assert (DOCS / "reference/commands.md").read_text() == reference.commands_page(), (
        "run python docs/make_reference.py"
    )


NOT_OURS = {"engine/ari.json", "engine/etc/pjsip_trunks.conf", "engine/etc/res_pgsql.conf", "engine/log/messages.log", "done/", "include/asterisk/res_pjsip.h"}  # fmt: skip
"""In data directories, and in Asterisk's sources."""
OF_THE_CODE = [DOCS / "architecture.md", DOCS / "words.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("decisions/*.md"))]  # fmt: skip


@pytest.mark.parametrize("page", OF_THE_CODE, ids=ids)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = set(re.findall(r"`([\w*.-]+/[\w/*.-]*)`", page.read_text())) - NOT_OURS
    found = {
        name
        for name in named
        for folder in (ROOT, ROOT / "src/trunkline")
        if next(folder.glob(name.rstrip("/")), None)
    }
    assert named - found == set()


def test_every_command_and_option_has_help() -> None:
    for path, command in RUNNABLE.items():
        assert command.help, path
        for param in command.params:
            if param.param_type_name == "option" and not param.hidden:
                assert param.help, (path, param.name)


def test_completion_is_installed_at_the_top() -> None:
    runner = CliRunner()
    groups = {name for path in RUNNABLE for name in (path, path.rpartition(" ")[0])}
    assert "--install-completion" in runner.invoke(app, ["--help"]).output
    for path in sorted(groups - {""}):
        shown = runner.invoke(app, [*path.split(), "--help"])
        assert shown.exit_code == 0, path
        assert "completion" not in shown.output, path


@pytest.mark.parametrize("name", [*KINDS, "GAP"])
def test_every_event_is_documented(name: str) -> None:
    assert f"`{name}`" in (DOCS / "guides/events.md").read_text()


@pytest.mark.parametrize("kind", [*KINDS.values(), Variables], ids=lambda kind: kind.__name__)
def test_every_key_of_an_event_is_documented(kind: type[Event]) -> None:
    page = (DOCS / "guides/events.md").read_text().partition("## The payload")[2]
    for key in kind.__struct_encode_fields__:
        assert f"`{key}`" in page, key


STATES = [*state.State.__subclasses__(), state.ShownParty]


@pytest.mark.parametrize("kind", STATES, ids=lambda kind: kind.__name__)
def test_every_key_of_a_state_is_documented(kind: type[state.State]) -> None:
    page = (DOCS / "guides/events.md").read_text().partition("## The state")[2]
    for key in kind.__struct_encode_fields__:
        assert re.search(rf"\b{key}\b", page), key


@pytest.mark.parametrize(
    "words",
    [state.CallStatus, state.LegStatus, state.FailureReason, state.TrunkReason],
    ids=["call", "leg", "recording", "trunk"],
)
def test_every_word_of_a_state_is_documented(words: object) -> None:
    page = (DOCS / "guides/events.md").read_text()
    for word in get_args(words):
        assert f"`{word}`" in page, word


def test_every_error_code_is_documented_with_its_status() -> None:
    page = (DOCS / "reference/errors.md").read_text()
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| ([0-9]{3}) \|", page, re.M))

    assert documented == {code: str(kind.status) for code, kind in ERRORS.items()}


def test_every_key_of_a_record_is_documented() -> None:
    page = (DOCS / "guides/history.md").read_text().partition("## A record")[2]
    rows = "".join(re.findall(r"^\| (`[^|]*) \|", page.partition("\n## ")[0], re.M))

    assert set(re.findall("`([^`]+)`", rows)) == set(HistoryRow.__struct_encode_fields__)


def test_every_status_is_documented() -> None:
    page = (DOCS / "guides/history.md").read_text()
    assert set(re.findall(r"`(SUCCESS|BUSY|UNSUCCESS|CANCELLED|IVR)`", page)) == {
        "SUCCESS", "BUSY", "UNSUCCESS", "CANCELLED", "IVR",
    }  # fmt: skip


def test_the_words_are_in_order() -> None:
    listed = (DOCS / "words.md").read_text().partition("## Status words")[0]
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", listed, re.M)
    words = [row.strip("` ").lower() for row in rows[1:]]

    assert len(words) > 40
    assert words == sorted(words, key=lambda word: word.replace("-", " ").replace("_", " "))


def test_decisions_are_numbered_without_a_gap() -> None:
    files = sorted((DOCS / "decisions").glob("*.md"))

    for number, file in enumerate(files, start=1):
        assert file.name.startswith(f"{number:04}-")
        assert file.read_text().startswith(f"# {number:04}: ")


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{ids(page)}: {target}"


def _typed(page: Path) -> list[str]:
    """What a page has people type: every "trunkline …" in its code."""
    text = page.read_text()
    blocks = "\n".join(re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.S | re.M))
    inline = re.findall(r"`((?:sudo -u trunkline )?trunkline [^`]+)`", text)
    lines = [*re.sub(r"\\\n", " ", blocks).splitlines(), *(" ".join(one.split()) for one in inline)]
    return [
        found[1] for line in lines if (found := re.match(r"(?:sudo -u \w+ )?trunkline (.+)", line))
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "commands.md"], ids=ids)
def test_every_command_that_is_named_exists_with_its_options(page: Path) -> None:
    for typed in _typed(page):
        words = shlex.split(typed.replace("…", "").replace("[", "").replace("]", ""), comments=True)
        if words[:1] == ["--data"]:
            words = words[2:]
        if words[:1] in ([], ["--help"]):
            continue
        assert words[0] in COMMANDS, f"{ids(page)}: trunkline {typed}"
        for word in words[1].split("|") if len(words) > 1 else [""]:
            _check([words[0], word, *words[2:]], f"{ids(page)}: trunkline {typed}")


def _check(words: list[str], where: str) -> None:
    path = next((p for p in (" ".join(words[:2]), words[0]) if p in RUNNABLE), None)
    if path is None:
        assert words[1] == "", where  # a group by itself
        return
    options = {"--help", *(opt for param in RUNNABLE[path].params for opt in param.opts)}
    used = {word.partition("=")[0] for word in words if word.startswith("-") and len(word) > 1}
    assert used <= options, where


def test_the_settings_of_the_guides_are_settings(tmp_path: Path) -> None:
    from trunkline.server.settings import load

    for page in PAGES:
        for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.S | re.M):
            (tmp_path / "trunkline.toml").write_text(block)
            load({"data": str(tmp_path)}, {})


def test_every_status_word_is_in_the_words() -> None:
    listed = (DOCS / "words.md").read_text().partition("## Status words")[2]
    rows = [set(re.findall(r"`([A-Za-z]+)`", row.partition("|")[2])) for row in listed.splitlines()]
    kinds = [get_args(kind) for kind in vars(words).values() if get_origin(kind) is Literal]

    assert len(kinds) == 8
    assert [kind for kind in kinds if not any(set(kind) <= row for row in rows)] == []
