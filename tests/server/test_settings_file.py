"""One setting is changed in a file that people write; all else in it stays as it is."""

from __future__ import annotations

import tomllib

import pytest

from trunkline.server.setting_forms import SettingsError
from trunkline.server.settings_file import write_setting

URL = 'postgresql://u:p"\\\x7fé%23@h/d'


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# only words\n",
        'http = "127.0.0.1:1" # why\n\n# the end',
        '  database = "" # here\nhttp = "127.0.0.1:1"\n',
        "[a]\ndatabase = 1\n",
    ],
)
def test_a_setting_is_written_and_nothing_else(tmp_path, before):
    file = tmp_path / "trunkline.toml"
    file.write_text(before)
    file.chmod(0o644)
    write_setting(file, "database", URL)
    after = file.read_text()
    assert tomllib.loads(after) == {**tomllib.loads(before), "database": URL}
    assert file.stat().st_mode & 0o777 == 0o600
    assert [line for line in before.splitlines() if "#" in line and "database" not in line] == [
        line for line in after.splitlines() if "#" in line and "database" not in line
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["trunkline.toml"]


def test_a_file_that_is_not_there_is_made(tmp_path):
    write_setting(tmp_path / "trunkline.toml", "database", URL)
    assert tomllib.loads((tmp_path / "trunkline.toml").read_text()) == {"database": URL}


@pytest.mark.parametrize("before", ['"database" = "x"\n', 'database = """\nx\n"""\n', "http = \n"])
def test_a_file_that_cannot_be_changed_for_sure_is_left(tmp_path, before):
    file = tmp_path / "trunkline.toml"
    file.write_text(before)
    with pytest.raises(SettingsError):
        write_setting(file, "database", URL)
    assert file.read_text() == before
