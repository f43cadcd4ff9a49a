"""Recordings of their own, with an id and a kind, each made of any number of raw files by a plan.

Their states have the words that /v1 and events have always had for them: pending, ready or failed.
The way down knows one raw file a recording: one that is made of several and is not made yet is taken
from the file that has its id, where there is one.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INDEXED: tuple[tuple[str, list[str]], ...] = (
    ("ix_recordings_call_id", ["call_id"]),
    ("ix_recordings_account_id_created_at_name", ["account_id", "created_at", "name"]),
)


_BEFORE, _SINCE = ("expected", "done", "failed"), ("pending", "ready", "failed")


def upgrade() -> None:
    _set_aside("recordings", "uq_recordings_raw", "recordings_0008", _BEFORE)
    op.create_table(
        "recordings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="call", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        *_common_columns(),
        sa.Column("plan", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "kind IN ('call', 'voicemail', 'conference')", name=op.f("ck_recordings_kind")
        ),
        sa.CheckConstraint(_one_of(_SINCE), name=op.f("ck_recordings_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint("name", name=op.f("uq_recordings_name")),
    )
    _bring("id", "raw", _BEFORE, _SINCE, "recordings_0008")
    op.drop_table("recordings_0008")
    _index(_SINCE)
    op.create_table(
        "recording_files",
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recordings.id"],
            name=op.f("fk_recording_files_recording_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("raw", "recording_id", name=op.f("pk_recording_files")),
    )
    op.create_index(op.f("ix_recording_files_recording_id"), "recording_files", ["recording_id"])
    op.execute("INSERT INTO recording_files (raw, recording_id) SELECT id, id FROM recordings")
    op.execute("ALTER TABLE recording_removals RENAME COLUMN raw TO raws")


def downgrade() -> None:
    op.execute("ALTER TABLE recording_removals RENAME COLUMN raws TO raw")
    op.drop_table("recording_files")
    _set_aside("recordings", "uq_recordings_name", "recordings_0010", _SINCE)
    columns = [sa.Column("name", sa.Text(), nullable=False), *_common_columns()]
    columns.insert(3, sa.Column("raw", sa.Text(), nullable=False))
    op.create_table(
        "recordings",
        *columns,
        sa.CheckConstraint(_one_of(_BEFORE), name=op.f("ck_recordings_state")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recordings")),
        sa.UniqueConstraint("raw", name=op.f("uq_recordings_raw")),
    )
    _bring("raw", "id", _SINCE, _BEFORE, "recordings_0010")
    op.drop_table("recordings_0010")
    _index(_BEFORE)


def _bring(to: str, key: str, old: tuple[str, ...], new: tuple[str, ...], table: str) -> None:
    """Of the table that was set aside; ``key`` is what the raw file is known by there."""
    kept = "name, account_id, call_id, worker, claimed_until, attempts, reason, bytes, seconds, created_at"
    op.execute(
        f"INSERT INTO recordings ({to}, state, {kept})"  # noqa: S608 - all of it is ours
        f" SELECT {key}, {_said(old, new)}, {kept} FROM {table}"
    )


def _common_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seconds", sa.Float(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    ]


def _index(states: tuple[str, ...]) -> None:
    for name, columns in _INDEXED:
        op.create_index(op.f(name), "recordings", columns, unique=False)
    where = sa.text(f"state = '{states[0]}'")
    op.create_index(
        f"ix_recordings_{states[0]}",
        "recordings",
        ["created_at"],
        sqlite_where=where,
        postgresql_where=where,
    )


def _set_aside(table: str, unique: str, name: str, states: tuple[str, ...]) -> None:
    """The names of its keys and indexes are wanted again; in SQLite the keys' go with their table."""
    for index in (*(index for index, _ in _INDEXED), f"ix_recordings_{states[0]}"):
        op.drop_index(index, table_name=table)
    op.rename_table(table, name)
    if op.get_bind().dialect.name == "postgresql":
        for key in (f"pk_{table}", unique):
            op.execute(f"ALTER INDEX {key} RENAME TO {key}_aside")


def _said(old: tuple[str, ...], new: tuple[str, ...]) -> str:
    each = " ".join(f"WHEN '{one}' THEN '{other}'" for one, other in zip(old, new, strict=True))
    return f"CASE state {each} END"


def _one_of(words: tuple[str, ...]) -> str:
    return "state IN ('{}', '{}', '{}')".format(*words)
