"""The formats by name, and which of them a file has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from trunkline.history.imports import asterisk, freepbx, fusionpbx, histories, kazoo, wazo
from trunkline.history.imports.leg import ReadRow


class ImportFormat(NamedTuple):
    """How to read a format's rows. ``needs``: a file has at least one column of each group.

    ``folds``: several rows may belong to one call.
    """

    read: ReadRow
    needs: tuple[frozenset[str], ...]
    folds: bool = True


def _needs(*groups: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(group.split("|")) for group in groups)


FORMATS: Mapping[str, ImportFormat] = {
    "histories": ImportFormat(
        histories.read,
        _needs("caller", "callee", "status_detail", "unix_timestamp", "duration_seconds"),
        folds=False,
    ),
    "wazo": ImportFormat(
        wazo.read,
        _needs("start", "end|duration", "call_direction", "source_extension|source_name"),
        folds=False,
    ),
    "kazoo": ImportFormat(
        kazoo.read,
        _needs(
            "call_id|interaction_id|id",
            "timestamp|unix_timestamp|iso_8601_combined|rfc_1036",
            "duration_seconds",
            "caller_id_number|from",
        ),
    ),
    "fusionpbx": ImportFormat(
        fusionpbx.read,
        _needs("start_epoch|start_stamp", "duration|end_epoch|end_stamp", "destination_number"),
    ),
    "freepbx": ImportFormat(
        freepbx.read, _needs("calldate", "duration", "disposition", "src|cnum")
    ),
    "asterisk": ImportFormat(
        asterisk.read, _needs("start", "disposition", "src", "dst", "channel")
    ),
}
"""The most particular formats come first."""


def missing(form: str, columns: Collection[str]) -> list[str]:
    """The needed columns that are missing, alternatives as ``a or b``."""
    there = set(columns)
    groups = FORMATS[form].needs
    return [" or ".join(sorted(group)) for group in groups if not group & there]


def recognised(columns: Collection[str]) -> str | None:
    """The first format that these columns fit; None if none does."""
    return next((form for form in FORMATS if not missing(form, columns)), None)
