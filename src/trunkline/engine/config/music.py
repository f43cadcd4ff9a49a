"""What Asterisk calls astdatadir: its own files, and beside them the music that who is held hears.

A music class from a database names a directory below astdatadir, or by its whole path (res_musiconhold.c,
moh_scan_files). The database knows no paths of a machine, so what it names stands here, as links: ``music`` leads to
what people uploaded, ``moh`` to the default music. That comes with Asterisk's packages (Debian's
asterisk-moh-opsound-gsm, or the music of an installed Asterisk); where it is not, three quiet notes go up and down.
"""

from __future__ import annotations

import math
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
            out.write(bytes(map(_ulaw, _notes())))
        aside.replace(file)
    return folder


def _notes() -> list[int]:
    each = round(_SECONDS * _RATE)
    made = [0] * (each * len(_NOTES))
    for number, note in enumerate(_NOTES):
        for at in range(each + round(_SWELL * _RATE)):
            time = at / _RATE
            swell = min(1.0, time / _SWELL, (_SECONDS + _SWELL - time) / _SWELL)
            value = _LEVEL * swell * 32767 * math.sin(2 * math.pi * note * time)
            made[(number * each + at) % len(made)] += round(value)
    return made


def _ulaw(sample: int) -> int:
    """ITU-T G.711, as Sun's g711.c has it: 14 bits, a bias of 33, a sign, an exponent, a mantissa."""
    size = min(abs(sample) // 4, 8158) + 33
    exponent = size.bit_length() - 6
    code = exponent << 4 | (size >> exponent + 1) & 15
    return ~code & (0x7F if sample < 0 else 0xFF)
