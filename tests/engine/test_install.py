"""Fetching the engine: from the machine's own mirror, and every way that it can fail."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trunkline.engine.install import contents, packages
from trunkline.engine.install.choose import (
    NEEDED,
    EngineInstallError,
    Installed,
    Source,
    find,
    install,
    remove,
    status,
)

LOADED = """
    app_celgenuserevent app_dial app_echo app_milliwatt app_playback app_playtones
    app_read app_stack app_stasis app_transfer app_userevent app_verbose bridge_builtin_features
    bridge_holding bridge_native_rtp bridge_simple bridge_softmix cdr_custom chan_pjsip
    codec_alaw codec_g722 codec_gsm codec_opus_open_source codec_resample codec_ulaw format_gsm
    format_ogg_opus_open_source format_pcm format_sln format_wav func_callerid func_cdr func_channel
    func_env func_global func_hangupcause func_logic func_realtime func_strings func_timeout
    func_uuid pbx_config res_ari res_ari_applications res_ari_asterisk res_ari_bridges
    res_ari_channels res_ari_device_states res_ari_endpoints res_ari_events res_ari_model
    res_ari_playbacks res_ari_recordings res_ari_sounds res_config_sqlite3
    res_crypto res_format_attr_opus res_http_websocket res_pjproject res_pjsip res_pjsip_acl
    res_pjsip_authenticator_digest res_pjsip_caller_id res_pjsip_dtmf_info
    res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_header_funcs
    res_pjsip_logger res_pjsip_nat res_pjsip_outbound_authenticator_digest
    res_pjsip_outbound_registration res_pjsip_path res_pjsip_pubsub res_pjsip_refer
    res_pjsip_registrar res_pjsip_rfc3326 res_pjsip_sdp_rtp res_pjsip_session
    res_pjsip_transport_websocket res_realtime res_rtp_asterisk res_sorcery_astdb res_sorcery_config
    res_sorcery_memory res_sorcery_memory_cache res_sorcery_realtime res_srtp res_stasis
    res_stasis_answer res_stasis_device_state res_stasis_playback res_stasis_recording
    res_stasis_snoop res_timing_timerfd res_websocket_client
    res_config_pgsql res_config_odbc res_odbc func_odbc func_curl res_fax_spandsp
"""
STALE = 'Acquire::Max-ValidTime "1";\n'
"""Makes every signed index look past its date, on whatever mirror the tests run."""


@pytest.fixture(scope="session")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that install filled from the mirror."""
    cache = tmp_path_factory.mktemp("fetched")
    install(cache)
    return cache


@pytest.fixture
def no_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """An asterisk that the machine may have is not to be seen."""
    monkeypatch.setattr("trunkline.engine.install.choose._system", lambda: None)


@pytest.fixture
def stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "stale.conf"
    conf.write_text(STALE)
    monkeypatch.setenv("APT_CONFIG", str(conf))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of its own, with the tools that install needs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("apt-get", "dpkg", "dpkg-deb", "tar"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def pretend_engine(root: Path, version: str) -> None:
    """What an unpacked engine looks like to find."""
    modules = root / "usr/lib/x86_64-linux-gnu/asterisk/modules"
    modules.mkdir(parents=True)
    (root / "usr/share/asterisk").mkdir(parents=True)
    (root / "usr/sbin").mkdir()
    for name in NEEDED:
        (modules / name).touch()
    program(root / "usr/sbin/asterisk", f"echo Asterisk {version}")
    of_one_build(root / "usr/include", modules)


BUILD = "0123456789abcdef0123456789abcdef"


def of_one_build(headers: Path, modules: Path, build: str = BUILD) -> None:
    """Headers and modules of the same build, by the sum of its options."""
    (headers / "asterisk").mkdir(parents=True, exist_ok=True)
    (headers / "asterisk" / "buildopts.h").write_text(f'#define AST_BUILDOPT_SUM "{build}"\n')
    (modules / "pbx_config.so").write_text(f"... {BUILD} ...")


def machine_mirror() -> str:
    mirror = packages.machine_mirror()
    assert mirror, "these tests need a Debian mirror"
    return mirror


@pytest.mark.usefixtures("no_system")
def test_what_is_fetched_is_found_and_whole(fetched: Path) -> None:
    found = find(fetched)
    assert found is not None
    assert found.origin == "private"
    assert (found.share / "sounds" / "en_US_f_Allison").is_dir()
    assert (found.share / "documentation").is_dir()
    assert found.root
    parts = {part.name: part.version for part in contents.read(found.root)}
    assert found.version in parts["asterisk"]
    assert len(parts) > 50
    known = status(fetched)
    assert known.engine == found
    assert known.fetched == (found.root,)
    assert known.bytes < 120_000_000
    assert sorted(entry.name for entry in (fetched / "engine").iterdir()) == sorted(
        [found.root.name if found.root else "", "lock"]
    )


def test_every_module_finds_its_libraries_in_the_engine_itself(fetched: Path) -> None:
    found = find(fetched)
    assert found is not None
    assert found.root is not None
    outside = {}
    for name in LOADED.split():
        command = [*found.command[:-1], "--list", str(found.modules / f"{name}.so")]
        done = subprocess.run(command, capture_output=True, text=True)
        where = re.findall(r"=> (\S+)", done.stdout)
        wrong = [w for w in where if not w.startswith(str(found.root))]
        if done.returncode or wrong:
            outside[name] = wrong or done.stderr
    assert outside == {}


def test_a_second_install_is_at_once(fetched: Path) -> None:
    began = time.monotonic()
    install(fetched, Source(mirror="http://127.0.0.1:1/nothing"))
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("no_system")
def test_an_upgrade_to_the_same_version_keeps_it(fetched: Path) -> None:
    assert install(fetched, upgrade=True) == find(fetched)


@pytest.mark.usefixtures("no_system")
def test_the_newest_is_found_and_a_half_done_or_old_one_never(tmp_path: Path) -> None:
    engines = tmp_path / "engine"
    assert find(tmp_path) is None
    pretend_engine(engines / "22.11.0-1.partial", "22.11.0")
    assert find(tmp_path) is None
    pretend_engine(engines / "22.10.0-1", "22.10.0")
    assert find(tmp_path) is None
    pretend_engine(engines / "22.10.1-1", "22.10.1~dfsg")
    pretend_engine(engines / "22.10.2-1", "22.10.2~dfsg")
    found = find(tmp_path)
    assert found is not None
    assert found.version == "22.10.2"
    (found.modules / NEEDED[0]).unlink()
    found = find(tmp_path)
    assert found is not None
    assert found.version == "22.10.1"


@pytest.mark.usefixtures("no_system")
def test_an_install_killed_at_any_time_leaves_nothing_that_is_found(tmp_path: Path) -> None:
    code = "import sys, pathlib; from trunkline.engine.install.choose import install; install(pathlib.Path(sys.argv[1]))"
    for delay in (0.5, 1.5, 2.5, 3.5):
        python = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
        with contextlib.suppress(subprocess.TimeoutExpired):
            python.wait(delay)
        python.kill()
        python.wait()
        found = find(tmp_path)
        assert found is None or found.version
    assert install(tmp_path) == find(tmp_path)
    assert not list((tmp_path / "engine").glob("*.partial"))


@pytest.fixture
def lock_holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """What an apt that outlived its install does: it holds the lock of a directory."""
    code = (
        "import fcntl, sys, time\n"
        "lock = open(sys.argv[1], 'a')\n"
        "fcntl.lockf(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    lock = tmp_path / "lists" / "lock"
    lock.parent.mkdir()
    command = [sys.executable, "-c", code, str(lock)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        yield holder


def test_an_apt_that_still_works_there_is_waited_for(
    tmp_path: Path, lock_holder: subprocess.Popen[str]
) -> None:
    place = tmp_path / "cache" / "engine" / "download" / "state"
    place.mkdir(parents=True)
    (place / "lists").symlink_to(tmp_path / "lists")
    (tmp_path / "lists" / "partial").mkdir()
    steps: list[str] = []

    def progress(what: str, _: float | None) -> None:
        steps.append(what)
        if what == "waiting for another install" and steps.count(what) == 2:
            lock_holder.communicate("go")

    with pytest.raises(EngineInstallError, match="the mirror cannot be reached"):
        install(tmp_path / "cache", Source(mirror="http://127.0.0.1:1/debian", progress=progress))
    assert steps.count("waiting for another install") >= 2


def test_an_apt_that_never_ends_is_named(
    tmp_path: Path, lock_holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "LOCK_SECONDS", 0.5)
    place = tmp_path / "cache" / "engine" / "download" / "state"
    place.mkdir(parents=True)
    (place / "lists").symlink_to(tmp_path / "lists")
    (tmp_path / "lists" / "partial").mkdir()
    with pytest.raises(EngineInstallError, match=r"another apt .*lock.*: end it"):
        install(tmp_path / "cache", Source(mirror="http://127.0.0.1:1/debian"))
    lock_holder.communicate("go")


def test_the_tests_own_installs_wait_for_another_apt(tmp_path: Path, tools: Path) -> None:
    """setup/apt.sh, with an apt-get that finds its lists locked twice."""
    for tool in ("sh", "cat", "sleep"):
        (tools / tool).symlink_to(shutil.which(tool, path=os.defpath) or tool)
    program(
        tools / "apt-get",
        f"""echo "$*" >> {tmp_path}/asked
[ "$(cat {tmp_path}/asked | wc -l)" -lt 3 ] || exit 0
echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)" >&2
exit 100""",
    )
    (tools / "wc").symlink_to(shutil.which("wc", path=os.defpath) or "wc")
    script = Path(__file__).parents[2] / "setup" / "apt.sh"
    done = subprocess.run(["sh", str(script), "sipp"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "==> Waiting for another apt to end\n")
    assert len((tmp_path / "asked").read_text().splitlines()) == 3


def test_two_installs_at_once_fetch_once(tmp_path: Path) -> None:
    steps: list[list[str]] = [[], []]
    done: list[Installed] = []

    def run(number: int) -> None:
        done.append(install(tmp_path, Source(progress=lambda what, _: steps[number].append(what))))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done[0] == done[1]
    assert sorted("unpacking" in said for said in steps) == [False, True]
    assert sorted("waiting for another install" in said for said in steps) == [False, True]


def test_a_stale_index_is_refused_when_set_so(tmp_path: Path, stale: None) -> None:
    with pytest.raises(EngineInstallError, match=r"past its date .*engine_stale_index"):
        install(tmp_path, Source(stale_index="refuse"))


def test_a_stale_index_warns_and_goes_on_when_set_so(
    tmp_path: Path, stale: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install(tmp_path, Source(stale_index="warn")).version
    assert "past its date" in capsys.readouterr().out


@pytest.mark.parametrize("stale_index", ["warn", "refuse"])
def test_a_wrong_signature_is_always_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stale_index: str
) -> None:
    other = Path("/usr/share/keyrings/debian-archive-removed-keys.gpg")
    monkeypatch.setattr(packages, "KEYRINGS", (other,))
    with pytest.raises(EngineInstallError, match="not signed by a key of the Debian archive"):
        install(tmp_path, Source(stale_index=stale_index))  # type: ignore[arg-type]


@pytest.mark.parametrize("tool", ["apt-get", "dpkg", "dpkg-deb", "tar"])
def test_a_missing_tool_is_named(tmp_path: Path, tools: Path, tool: str) -> None:
    (tools / tool).unlink()
    with pytest.raises(EngineInstallError, match=f"^{tool} is not here.*engine_prefix"):
        install(tmp_path / "cache")


def test_another_architecture_is_named(tmp_path: Path, tools: Path) -> None:
    program(tools / "dpkg", "echo riscv64")
    with pytest.raises(EngineInstallError, match=r"this machine is riscv64: .*engine_prefix"):
        install(tmp_path / "cache")


def test_a_missing_keyring_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "KEYRINGS", (tmp_path / "none.gpg",))
    with pytest.raises(EngineInstallError, match="install the package debian-archive-keyring"):
        install(tmp_path)


def test_a_machine_without_a_debian_mirror_is_asked_for_one(tmp_path: Path, tools: Path) -> None:
    program(tools / "apt-get", "exit 100")
    with pytest.raises(EngineInstallError, match="set engine_mirror"):
        install(tmp_path / "cache")


@pytest.mark.parametrize(
    ("listed", "would", "mirror"),
    [
        ("http://a/debian-security/ Debian Debian-Security\nhttp://a/debian/ Debian Debian", "", "http://a/debian"),
        ("", "'https://d.example/linux/debian/dists/x/InRelease' f 0\n'http://a/debian-security/dists/x/InRelease' f 0\n'http://b/debian/dists/x/InRelease' f 0", "http://b/debian"),
        ("http://a/ubuntu/ Ubuntu Ubuntu", "'http://a/ubuntu/dists/x/InRelease' f 0", None),
    ],
)  # fmt: skip
def test_the_machines_own_mirror_is_taken(
    tools: Path, listed: str, would: str, mirror: str | None
) -> None:
    program(
        tools / "apt-get", f'case $1 in indextargets) echo "{listed}";; *) echo "{would}";; esac'
    )
    assert packages.machine_mirror() == mirror


def test_no_network_is_told_and_what_is_there_is_kept(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(EngineInstallError, match=r"cannot be reached .*check the network"):
        install(tmp_path, Source(mirror=f"http://127.0.0.1:{port}/debian"))
    assert (tmp_path / "engine" / "download" / "apt.conf").exists()


def test_a_suite_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineInstallError, match="check engine_mirror and engine_suite"):
        install(tmp_path, Source(mirror=machine_mirror(), suite="nosuchsuite"))


def test_a_suite_without_asterisk_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineInstallError, match="engine_suite"):
        install(tmp_path, Source(suite="bookworm"))


@pytest.mark.parametrize(
    ("mirror", "suite"), [("not a url", "sid"), ("http://x/ y", "sid"), ("http://x/debian", "a b")]
)
def test_nonsense_in_the_settings_is_refused(tmp_path: Path, mirror: str, suite: str) -> None:
    with pytest.raises(EngineInstallError, match=r"engine_(mirror|suite): "):
        install(tmp_path, Source(mirror=mirror, suite=suite))


def test_too_little_room_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "ROOM", 1 << 62)
    with pytest.raises(EngineInstallError, match="make room"):
        install(tmp_path)


def test_a_full_disk_is_told(tmp_path: Path, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tools}:{os.defpath}:/usr/bin:/usr/sbin")
    program(tools / "tar", "/bin/cat >/dev/null; echo 'tar: x: Cannot write: No space left on device' >&2; exit 2")  # fmt: skip
    with pytest.raises(EngineInstallError, match="make room"):
        install(tmp_path / "cache")


@pytest.mark.usefixtures("no_system")
def test_a_damaged_package_is_told_and_fetched_anew(tmp_path: Path) -> None:
    download = tmp_path / "engine" / "download"

    def interrupt(what: str, _: float | None) -> None:
        if what == "unpacking":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(tmp_path, Source(progress=interrupt))
    kept = sorted((download / "cache" / "archives").glob("*.deb"))
    size = kept[0].stat().st_size
    kept[0].write_bytes(b"\0" * size)
    with pytest.raises(EngineInstallError, match="damaged"):
        install(tmp_path)
    assert install(tmp_path).version


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(EngineInstallError, match="XDG_CACHE_HOME"):
        install(tmp_path)


def test_a_given_prefix_counts_or_is_an_error(fetched: Path, tmp_path: Path) -> None:
    root = status(fetched).fetched[0]
    given = find(tmp_path, str(root))
    assert given is not None
    assert (given.origin, given.root) == ("given", root)
    with pytest.raises(EngineInstallError, match="engine_prefix"):
        find(tmp_path, str(tmp_path))


def test_an_installed_asterisk_is_taken_when_it_is_of_use(
    tmp_path: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "local"
    (base / "sbin").mkdir(parents=True)
    (base / "lib/asterisk/modules").mkdir(parents=True)
    (base / "share/asterisk").mkdir(parents=True)
    for name in NEEDED:
        (base / "lib/asterisk/modules" / name).touch()
    program(base / "sbin" / "asterisk", "echo Asterisk 22.10.1")
    monkeypatch.setenv("PATH", f"{tools}:{base / 'sbin'}")
    assert find(tmp_path / "cache") is None  # without its headers, no module fits it
    of_one_build(base / "include", base / "lib/asterisk/modules", build=BUILD[::-1])
    assert find(tmp_path / "cache") is None  # headers of another build
    of_one_build(base / "include", base / "lib/asterisk/modules")
    found = find(tmp_path / "cache")
    assert found is not None
    assert (found.origin, found.version, found.root) == ("system", "22.10.1", None)
    for old in ("22.10.0", "22.10", "22.9.1", "20.15.3"):
        program(base / "sbin" / "asterisk", f"echo Asterisk {old}")
        assert find(tmp_path / "cache") is None
    program(base / "sbin" / "asterisk", "echo Asterisk 23.0.0")
    assert find(tmp_path / "cache") is not None


def test_the_guides_say_which_is_the_oldest() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = "\n".join(page.read_text() for page in docs.rglob("*.md"))
    assert set(re.findall(r"22\.[0-9.]*[0-9](?= or later)", text)) == {packages.OLDEST}


@pytest.mark.usefixtures("no_system")
def test_remove_takes_everything_unless_it_runs(tmp_path: Path) -> None:
    root = tmp_path / "engine" / "22.10.1-1"
    pretend_engine(root, "22.10.1")
    program(root / "usr/sbin/asterisk", '[ "$1" = -V ] && echo Asterisk 22.10.1 || read wait')
    running = subprocess.Popen([str(root / "usr/sbin/asterisk")], stdin=subprocess.PIPE)
    with pytest.raises(EngineInstallError, match=f"running .process {running.pid}"):
        remove(tmp_path)
    running.communicate()
    assert remove(tmp_path) > 0
    assert find(tmp_path) is None
    assert remove(tmp_path) == 0
