"""The same Asterisk with the least configuration that joins two legs, and nothing of ours in it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path

from trunkline.engine.config.run_directory import run_directory
from trunkline.engine.install.choose import Installed
from trunkline.server.main import engine_for
from trunkline.server.settings import load

_MODULES = [
    "res_timing_timerfd",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_crypto",
    "res_srtp",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_pubsub",
    "res_pjsip_session",
    "res_pjsip_sdp_rtp",
    "res_rtp_asterisk",
    "res_pjsip_endpoint_identifier_ip",
    "chan_pjsip",
    "pbx_config",
    "app_dial",
    "bridge_simple",
    "bridge_native_rtp",
    "codec_ulaw",
    "codec_alaw",
    "format_pcm",
]

_RECORDER = ["app_mixmonitor", "format_wav"]
_MIX_MONITOR = "1,MixMonitor({home}/recorded/${{UNIQUEID}}-m.wav,br({home}/recorded/${{UNIQUEID}}-r.wav)t({home}/recorded/${{UNIQUEID}}-t.wav))\n same => n,"

_EMPTY = (
    "pjproject.conf",
    "features.conf",
    "acl.conf",
    "udptl.conf",
    "ccss.conf",
    "indications.conf",
)
_FILES = {
    "asterisk.conf": """[directories]
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
verbose = 0
""",
    "modules.conf": "[modules]\nautoload = no\n{load}\n",
    "logger.conf": "[general]\n[logfiles]\nmessages.log => notice,warning,error\n",
    **dict.fromkeys(_EMPTY, ""),
    "cdr.conf": "[general]\nenable = no\n",
    "cel.conf": "[general]\nenable = no\n",
    "rtp.conf": "[general]\nrtpstart = {first}\nrtpend = {last}\nicesupport = no\n",
    "pjsip.conf": """[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{sip}


[caller]
type = endpoint
context = calls
disallow = all
allow = ulaw
direct_media = no

[caller]
type = identify
endpoint = caller
match = {caller}

[callee]
type = endpoint
context = calls
aors = callee
disallow = all
allow = ulaw
direct_media = no

[callee]
type = aor
contact = sip:{callee}
""",
    "extensions.conf": "[calls]\nexten => _[+0-9]!,{first_step}Dial(PJSIP/callee/sip:${{EXTEN}}@{callee})\n same => n,Hangup()\n",
}


class BareAsterisk:
    """Calls from ``caller`` (an address) are joined with ``callee`` (HOST:PORT).

    If they are ``recorded``, there is one MixMonitor for each, on the caller: in the folder of that name, what the caller
    said (``…-r.wav``), what it heard (``…-t.wav``), and both.
    """

    def __init__(
        self,
        home: Path,
        sip: int,
        rtp: tuple[int, int],
        caller: str,
        callee: str,
        *,
        recorded: bool = False,
    ) -> None:
        self.sip, self._port = f"127.0.0.1:{sip}", sip
        self._home = home
        self._installed: Installed = engine_for(load({}), lambda _what, _done: None)
        self.recorded = home / "recorded"
        for folder in ("etc", "lib/keys", "spool", "log", "recorded"):
            (home / folder).mkdir(parents=True)
        modules = _MODULES + (_RECORDER if recorded else [])
        values = {
            "home": str(home),
            "run": str(run_directory(home)),
            "modules": str(self._installed.modules),
            "share": str(self._installed.share),
            "load": "\n".join(f"load = {name}.so" for name in modules),
            "sip": str(sip),
            "first": str(rtp[0]),
            "last": str(rtp[1]),
            "caller": caller,
            "callee": callee,
            "first_step": _MIX_MONITOR.format(home=home) if recorded else "1,",
        }
        for name, text in _FILES.items():
            (home / "etc" / name).write_text(text.format(**values))

    async def start(self) -> None:
        """Start it, and wait until it answers SIP."""
        self._spawn()
        await asyncio.to_thread(self._answers)

    def _spawn(self) -> None:
        command = [*self._installed.command, "-f", "-C", str(self._home / "etc" / "asterisk.conf")]
        with (self._home / "log" / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=self._home,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb"},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def stop(self) -> None:
        """End it at once."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> None:
        """Any answer to OPTIONS will do: from a stranger, it is 401."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.settimeout(0.3)
            here = "{}:{}".format(*probe.getsockname())
            for attempt in range(60):
                text = (
                    f"OPTIONS sip:{self.sip} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKb{attempt}\r\n"
                    f"Max-Forwards: 70\r\nFrom: <sip:b@{here}>;tag=b\r\nTo: <sip:{self.sip}>\r\n"
                    f"Call-ID: bare{attempt}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
                )
                try:
                    probe.sendto(text.encode(), ("127.0.0.1", self._port))
                    if probe.recv(4096).startswith(b"SIP/2.0 "):
                        return
                except (TimeoutError, ConnectionError):
                    continue
        raise RuntimeError(f"the bare Asterisk does not answer: see {self._home}/log/console.log")
