"""What Asterisk calls astdatadir: its own files, and beside them the music that who is held hears.

A music class from a database names a directory below astdatadir, or by its whole path (res_musiconhold.c,
moh_scan_files). The database knows no paths of a machine, so what it names stands here, as links: ``music`` leads to
what people uploaded, ``moh`` to the default music. That comes with Asterisk's packages (Debian's
asterisk-moh-opsound-gsm, or the music of an installed Asterisk); where it is not, three quiet notes go up and down.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MUSIC, DEFAULT = "music", "moh"
_PLAYED = {".gsm", ".wav", ".g722", ".ulaw", ".alaw"}
"""The endings of such files that the modules in modules.conf play."""

_RATE, _NOTES, _SECONDS, _LEVEL = 8000, (262, 330, 392, 330), 1.5, 0.11
_SWELL = 0.25
"""Seconds in which one note gives way to the next."""


def make_data_directory(here: Path, own: Path, music: Path) -> None:
    """Make ``here``, of links to all that is in Asterisk's ``own``, to ``music``, and to the default music."""
    here.mkdir(mode=0o700, parents=True, exist_ok=True)
    its = own.iterdir() if own.is_dir() else ()
    links = {each.name: each for each in its} | {MUSIC: music}
    links[DEFAULT] = default_music(own) or _made(here.parent / "notes")
    for each in here.iterdir():
        if each.name not in links:
            each.unlink()
    for name, to in links.items():
        _link(here / name, to)


def default_music(own: Path) -> Path | None:
    """The directory with the music that came with Asterisk; None where there is none that can be played."""
    folder = own / DEFAULT
    there = folder.iterdir() if folder.is_dir() else ()
    return folder if any(each.suffix in _PLAYED for each in there) else None


def _link(link: Path, to: Path) -> None:
    aside = link.with_name(f".{link.name}.new")
    aside.unlink(missing_ok=True)
    aside.symlink_to(to)
    aside.replace(link)


def _made(folder: Path) -> Path:
    """A directory with the notes; they end as they begin, so that nobody hears where the file does."""
    file = folder / "notes.ulaw"  # no signed linear: see work/manage/music_files.py
    if not file.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        aside = file.with_suffix(".new")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "wb") as out:
            out.write(_notes())
        aside.replace(file)
    return folder


def _notes() -> bytes:
    """In µ-law."""
    # Most starts do not make them, and these two take a while to import.
    import av
    import numpy as np

    each, swell = round(_SECONDS * _RATE), round(_SWELL * _RATE)
    times = np.arange(each + swell)
    loud = np.minimum(np.minimum(times, each + swell - times) / swell, 1) * _LEVEL * 32767
    made = np.zeros(each * len(_NOTES))
    for number, note in enumerate(_NOTES):
        places = (number * each + times) % len(made)
        made[places] += loud * np.sin(2 * np.pi * note * times / _RATE)
    encoder = av.AudioCodecContext.create("pcm_mulaw", "w")
    encoder.sample_rate, encoder.layout, encoder.format = _RATE, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(np.rint(made).astype(np.int16)[None, :], "s16", "mono")
    frame.sample_rate = _RATE
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
