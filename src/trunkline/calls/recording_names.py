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


def recording_name(id_: str, format_: RecordingFormat) -> str:
    return f"{_START}{id_}.{format_}"


def format_of(name: str) -> RecordingFormat:
    """The format of the recording of that name, which is right."""
    return cast("RecordingFormat", name.rpartition(".")[2])


def id_of(name: str) -> str:
    """The id in a name that is right."""
    return name.removeprefix(_START).rpartition(".")[0]
