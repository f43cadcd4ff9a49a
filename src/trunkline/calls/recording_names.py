"""The public names of recordings: ``call_recording_<id>.<format>``.

Nothing in a name means anything to a file system or a URL.
"""

from __future__ import annotations

import re
from typing import Literal, cast, get_args

RecordingFormat = Literal["mp3", "wav", "opus"]
FORMATS: tuple[RecordingFormat, ...] = get_args(RecordingFormat)

_START = "call_recording_"
PATTERN = rf"{_START}[A-Za-z0-9-]{{1,80}}\.(?:{'|'.join(FORMATS)})"
NAME = re.compile(PATTERN, re.ASCII)
_PEAKS = ".peaks.json"
STORED_NAME = re.compile(PATTERN + rf"({re.escape(_PEAKS)})?", re.ASCII)
"""Of a recording, or of its peaks."""


def recording_name(id_: str, format_: RecordingFormat) -> str:
    return f"{_START}{id_}.{format_}"


def known_format(word: str) -> RecordingFormat:
    """The format of that name; MP3 where there is none."""
    return word if word in FORMATS else "mp3"


def format_of(name: str) -> RecordingFormat:
    """The format of the recording of that name, which is right."""
    return cast("RecordingFormat", name.rpartition(".")[2])


def peaks_of(name: str) -> str:
    """The name of the waveform that is kept beside the recording of that name."""
    return name + _PEAKS


def recording_of(stored: str) -> str:
    """The recording's name, of its own name or that of its peaks."""
    return stored.removesuffix(_PEAKS)


def id_of(name: str) -> str:
    """The id in a name that is right."""
    return name.removeprefix(_START).rpartition(".")[0]
